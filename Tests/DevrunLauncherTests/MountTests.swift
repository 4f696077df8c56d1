import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Volumes at paths of their own", .sharingTheMachine)
struct MountTests {
  /// Runs a shell script with the mounts.
  private func run(
    _ script: String, _ example: IsolationCase, in fixture: LaunchFixture, mounts: [(String, String)],
    force: Bool = false
  ) async throws -> Outcome {
    try await fixture.run(["sh", "-c", script], as: example.user) {
      $0.isolate(as: example)
      $0.plan.mounts = mounts.map { .init(source: RawString($0.0), target: RawString($0.1)) }
      $0.plan.forcesVolumes = force
    }
  }

  private func fixtureWithVolume() throws -> LaunchFixture {
    let fixture = try LaunchFixture()
    mkdir(fixture.path("volume"), 0o755)
    try fixture.write("volume/token", "secret\n")
    return fixture
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears over an existing directory`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    mkdir(fixture.path("target"), 0o755)
    let outcome = try await run(
      "cat \(fixture.path("target"))/token", example, in: fixture,
      mounts: [(fixture.path("volume"), fixture.path("target"))])
    #expect(outcome.output == "secret\n" && outcome.errors == "")
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path("target")).isEmpty)
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears at a missing path, and its siblings stay usable`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    let parent = fixture.path("parent")
    mkdir(parent, 0o777)
    chmod(parent, 0o1777)
    mkdir("\(parent)/sibling", 0o777)
    chmod("\(parent)/sibling", 0o777)
    try fixture.write("parent/file", "file\n")
    try FileManager.default.createSymbolicLink(atPath: "\(parent)/link", withDestinationPath: "file")
    let server = try TestProcess(
      [
        "python3", "-uc",
        """
        import os, socket, sys
        s = socket.socket(socket.AF_UNIX)
        s.bind(sys.argv[1])
        os.chmod(sys.argv[1], 0o777)
        s.listen()
        print("listening")
        while True: s.accept()[0].sendall(b"answered\\n")
        """, "\(parent)/socket",
      ], keeping: fixture)
    defer { server.signal(SIGKILL) }
    try await server.output.wait(for: "listening")
    let outcome = try await run(
      """
      cd \(parent)
      cat secrets/kubernetes.io/account/token file link
      echo written > sibling/file
      stat -c %a .
      python3 -c 'import socket; s = socket.socket(socket.AF_UNIX); s.connect("socket"); print(s.recv(100))'
      """, example, in: fixture, mounts: [(fixture.path("volume"), "\(parent)/secrets/kubernetes.io/account")])
    #expect(outcome.errors == "")
    #expect(outcome.output == "secret\nfile\nfile\n1777\nb'answered\\n'\n")
    #expect(try String(contentsOfFile: "\(parent)/sibling/file", encoding: .utf8) == "written\n")
    #expect(!FileManager.default.fileExists(atPath: "\(parent)/secrets"))
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears directly below the root, which is otherwise unchanged`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    let volume = "/devrun-test-\(UUID().uuidString)"
    let outcome = try await run(
      "cat \(volume)/token; ls / | grep -v devrun-test- | wc -l; pwd; ls -d /proc/self /usr/bin/env", example,
      in: fixture, mounts: [(fixture.path("volume"), volume)])
    let entries = try FileManager.default.contentsOfDirectory(atPath: "/")
      .filter { !$0.hasPrefix(".") && !$0.hasPrefix("devrun-test-") }
    let folder = FileManager.default.currentDirectoryPath
    #expect(outcome.errors == "")
    #expect(outcome.output == "secret\n\(entries.count)\n\(folder)\n/proc/self\n/usr/bin/env\n")
    #expect(!FileManager.default.fileExists(atPath: volume))
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears in place of a file and below one`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    mkdir(fixture.path("parent"), 0o755)
    try fixture.write("parent/file", "in the way\n")
    try fixture.write("parent/other", "other\n")
    let parent = fixture.path("parent")
    let outcome = try await run(
      "cd \(parent); cat file/token other new/token", example, in: fixture,
      mounts: [(fixture.path("volume"), "\(parent)/file"), (fixture.path("volume"), "\(parent)/new")], force: true)
    #expect(outcome.output == "secret\nother\nsecret\n" && outcome.errors == "")
    let below = try await run(
      "cd \(parent); cat file/deep/token other", example, in: fixture,
      mounts: [(fixture.path("volume"), "\(parent)/file/deep")], force: true)
    #expect(below.output == "secret\nother\n" && below.errors == "")
    #expect(try String(contentsOfFile: "\(parent)/file", encoding: .utf8) == "in the way\n")
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears where a symbolic link in its path leads`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    mkdir(fixture.path("real"), 0o755)
    try FileManager.default.createSymbolicLink(atPath: fixture.path("link"), withDestinationPath: "./real/../real")
    let outcome = try await run(
      "cat \(fixture.path("link"))/new/token \(fixture.path("real"))/new/token", example, in: fixture,
      mounts: [(fixture.path("volume"), fixture.path("link/new"))])
    #expect(outcome.output == "secret\nsecret\n" && outcome.errors == "")
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume appears inside another one without changing the other's files`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    mkdir(fixture.path("outer"), 0o755)
    try fixture.write("outer/outer-file", "outer\n")
    mkdir(fixture.path("target"), 0o755)
    let target = fixture.path("target")
    let outcome = try await run(
      "cd \(target); cat outer-file inner/token", example, in: fixture,
      mounts: [(fixture.path("volume"), "\(target)/inner"), (fixture.path("outer"), target)])
    #expect(outcome.output == "outer\nsecret\n" && outcome.errors == "")
    #expect(!FileManager.default.fileExists(atPath: fixture.path("outer/inner")))
  }

  @Test(arguments: ["/", "/usr", "/etc/", "//tmp", FileManager.default.currentDirectoryPath])
  func `A volume that would hide something essential is refused before the command starts`(
    target: String
  ) async throws {
    let fixture = try fixtureWithVolume()
    let outcome = try await run(
      "echo started", .init(isolation: .automatic, user: .own), in: fixture, mounts: [(fixture.path("volume"), target)])
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains("a volume is not shown at '\(target)'"))
    #expect(outcome.errors.contains("azds-local.env") && outcome.errors.contains("--force-volumes"))
  }

  @Test(arguments: IsolationCase.mounting)
  func `A volume over an essential path appears if the user forces it`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    let outcome = try await fixture.run(["cat", "/home/token"], as: example.user) {
      $0.isolate(as: example)
      $0.plan.mounts = [.init(source: RawString(fixture.path("volume")), target: "/home")]
      $0.plan.forcesVolumes = true
    }
    #expect(outcome.output == "secret\n" && outcome.errors == "")
  }

  @Test func `A volume at a path of its own is refused without a mount namespace`() async throws {
    let fixture = try fixtureWithVolume()
    let outcome = try await run(
      "echo started", .init(isolation: .trap, user: .own), in: fixture,
      mounts: [(fixture.path("volume"), fixture.path("new"))])
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains("no mount namespace"))
  }

  @Test(arguments: IsolationCase.mounting)
  func `Hidden directories and files are empty for the command`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithVolume()
    try fixture.write("file", "text")
    let outcome = try await fixture.run(
      ["sh", "-c", "ls \(fixture.path("volume")) | wc -l; cat \(fixture.path("file")) | wc -c"], as: example.user
    ) {
      $0.isolate(as: example)
      $0.plan.hiddenPaths = [fixture.path("volume"), fixture.path("file"), fixture.path("none")].map { RawString($0) }
    }
    #expect(outcome.output == "0\n0\n" && outcome.errors == "")
  }
}
