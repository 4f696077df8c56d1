import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Programs", .sharingTheMachine)
struct ProgramTests {
  @Test(.enabled(if: isInstalled("vim"), "vim is not installed"), arguments: TestUser.available)
  func `vim edits a file on the terminal and can be suspended`(user: TestUser) async throws {
    let fixture = try LaunchFixture()
    let file = fixture.path("text")
    var script = LaunchScript(plan: try LaunchFixture.plan(["vim", "-Nu", "NONE", "-i", "NONE", file]))
    script.plan.environment.set("TERM", to: "xterm", from: .shell)
    let line = try fixture.commandLine(script, as: user).joined(separator: " ")
    let session = try Typist(inShellKeeping: fixture)
    defer { session.end() }
    try await session.waitForPrompt()
    try await session.type(line: line, until: "[New]")
    try session.type("i")
    try await session.wait(for: "-- INSERT --")
    try session.type("written inside\u{1b}")
    // Suspended and resumed, as one does.
    try await session.suspend()
    try await session.type(line: "fg", until: "written inside", again: true)
    try await session.type(line: ":wq", until: "prompt$ ")
    try await session.type(line: "echo status $?", until: "status 0")
    #expect(try String(contentsOfFile: file, encoding: .utf8) == "written inside\n")
  }

  @Test(arguments: TestUser.available)
  func `make -j4 runs recipes that reach a service, and its failure is passed on`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let recipe = #"python3 -c "import socket; print(socket.create_connection(('myapp1', 80)).recv(5).decode())" > $@"#
    try services.launches.write(
      "Makefile",
      """
      parts := $(foreach n,1 2 3 4 5 6 7 8,part$(n))
      whole: $(parts)
      \tcat $(parts) > $@
      part%:
      \t\(recipe)
      """)
    let outcome = try await services.run(["make", "-s", "-j4", "-C", services.launches.folder.path, "whole"], as: user)
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    #expect(
      try String(contentsOfFile: services.launches.path("whole"), encoding: .utf8)
        == String(repeating: "hello\n", count: 8))
    let failing = try await services.run(
      ["make", "-s", "-j4", "-C", services.launches.folder.path, "nothing"], as: user)
    #expect(failing.status == .exited(2))
  }

  /// Runs a line of the shell in which `launch` is devrun before a command.
  private func shell(_ line: String, launching command: [String], as user: TestUser) async throws -> TestProcess {
    let fixture = try LaunchFixture()
    let launch = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(command)), as: user)
    let program = try fixture.write("launch", "#!/bin/sh\nexec \(launch.joined(separator: " "))\n")
    return try TestProcess(
      ["bash", "-c", "set -o pipefail; " + line.replacingOccurrences(of: "launch", with: "sh \(program)")],
      keeping: fixture)
  }

  @Test(arguments: TestUser.available)
  func `yes dies of SIGPIPE when head under devrun stops reading`(user: TestUser) async throws {
    let process = try await shell("yes | launch; echo ${PIPESTATUS[@]}", launching: ["head", "-1"], as: user)
    #expect(try await process.output.whole() == "y\n141 0\n")
    #expect(process.errors.text == "")
  }

  @Test(arguments: TestUser.available)
  func `devrun and its command die of SIGPIPE when head stops reading`(user: TestUser) async throws {
    let process = try await shell("launch | head -1; echo ${PIPESTATUS[@]}", launching: ["yes"], as: user)
    #expect(try await process.output.whole() == "y\n141 0\n")
    #expect(process.errors.text == "")
  }

  @Test(arguments: TestUser.available)
  func `timeout ends a sleeping command after a second and exits with 124`(user: TestUser) async throws {
    let process = try await shell("timeout -s TERM 1 launch; echo $?", launching: ["sleep", "1000"], as: user)
    #expect(try await process.output.whole() == "124\n")
    #expect(process.errors.text == "")
  }

  @Test func `A SIGTERM at the moment of the launch ends the command and devrun`() async throws {
    let process = try await shell(
      "for i in $(seq 100); do timeout -s TERM 0.0$((i % 50 + 10)) launch; echo $?; done",
      launching: ["sleep", "1000"], as: .own)
    #expect(try await process.output.whole() == String(repeating: "124\n", count: 100))
    // The keepers hold it open as long as they are there.
    #expect(try await process.errors.whole() == "")
  }

  @Test(arguments: TestUser.available)
  func `The shell reports a crash of the command as devrun's own`(user: TestUser) async throws {
    let process = try await shell("launch; echo $?", launching: ["sh", "-c", "ulimit -c 0; kill -SEGV $$"], as: user)
    #expect(try await process.output.whole() == "139\n")
    #expect(try await process.errors.whole().contains("Segmentation fault"))
  }
}
