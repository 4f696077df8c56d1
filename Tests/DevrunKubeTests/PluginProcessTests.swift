import DevrunConfig
import DevrunCore
import DevrunSystem
import Foundation
import TestSupport
import Testing

@testable import DevrunKube

@Suite("Processes of credential plugins")
struct PluginProcessTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Runs a script as a plugin that can ask in a process group.
  private func run(_ script: String, askingIn group: pid_t? = nil) async throws -> ExecCredential {
    let environment: EnvironmentVariables = ["PATH": "/usr/bin:/bin", "OUT": RawString(folder.path)]
    return try await PluginRunner(
      plugin: folder.plugin(script), environment: environment, askingGroup: { group }
    ).run()
  }

  private static let answer = "echo '\(credentialText(#"{"token":"t"}"#))'"

  @Test func `A plugin starts with no signal blocked or ignored`() async throws {
    signal(SIGUSR2, SIG_IGN)
    _ = try await run("cat /proc/self/status >\"$OUT/status\"; \(Self.answer)")
    for name in ["SigBlk", "SigIgn"] {
      let line = try #require(try folder.text(of: "status").split(separator: "\n").first { $0.hasPrefix("\(name):") })
      let signals = line.split(separator: "\t").last.flatMap { UInt64($0, radix: 16) }
      // 32 and 33 are the C library's own, and ignored by its posix_spawn.
      #expect(signals.map { $0 & ~(3 << 31) } == 0)
    }
  }

  @Test func `A plugin that can ask joins the terminal's group, and another one stays in devrun's`() async throws {
    let other = try OtherProcessGroup()
    defer { other.end() }
    for (group, expected) in [(other.id, other.id), (nil, getpgrp())] {
      _ = try await run("cut -d ' ' -f 5 /proc/self/stat >\"$OUT/group\"; \(Self.answer)", askingIn: group)
      #expect(try folder.text(of: "group") == "\(expected)\n")
    }
  }

  @Test func `A plugin is not started if the group that it is to join is gone`() async throws {
    let other = try OtherProcessGroup()
    other.end()
    let error = try await caught(CredentialError.self) { _ = try await run(Self.answer, askingIn: other.id) }
    guard case .pluginNotStarted(_, let problem) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(problem == Errno.notPermitted.description)
  }

  @Test func `A plugin has devrun's standard error, and devrun's standard input if it can ask`() async throws {
    func own(_ number: Int) throws -> String {
      try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")
    }
    for (group, input) in [(getpgrp(), try own(0)), (nil, "/dev/null")] {
      _ = try await run(
        "readlink /proc/self/fd/0 >\"$OUT/0\"; readlink /proc/self/fd/2 >\"$OUT/2\"; \(Self.answer)", askingIn: group)
      #expect(try folder.text(of: "0") == "\(input)\n")
      #expect(try folder.text(of: "2") == "\(try own(2))\n")
    }
  }

  @Test func `A plugin's output is read to its end, also if a child of the plugin prints it later`() async throws {
    // The child waits until the plugin has ended and is a zombie; then long enough for that to be noticed.
    let credential = try await run(
      """
      ( while grep -qs '^State:.[^Z]' /proc/$$/status; do :; done; sleep 0.1; \(Self.answer) ) &
      """)
    #expect(credential.token == "t")
  }

  @Test func `A plugin that prints too much is ended and reported`() async throws {
    let error = try await caught(CredentialError.self) { _ = try await run("exec yes") }
    #expect(error == .pluginOutput(command: "sh", problem: "it printed more than 1 MiB"))
  }

  @Test func `A cancelled plugin that ignores SIGTERM is killed after a grace period`() async throws {
    let fifo = try Fifo(folder.path("fifo"))
    let process = PluginProcess(
      command: "sh", path: "/bin/sh",
      arguments: ["-c", "trap '' TERM; echo $$ >'\(fifo.path)'; exec sleep 1000000"],
      environment: ["PATH": "/usr/bin:/bin"],
      group: nil, gracePeriod: .milliseconds(1))
    let running = Task { try await process.run() }
    let id = try #require(try await pid_t(Transcript(of: fifo).whole().dropLast()))
    running.cancel()
    await #expect(throws: CancellationError.self) { _ = try await running.value }
    #expect(kill(id, 0) == -1 && errno == ESRCH)
  }

  @Test func `The end of a cancelled plugin does not wait for a child that keeps its output open`() async throws {
    let (fifo, hold) = (try Fifo(folder.path("fifo")), try Fifo(folder.path("hold")))
    // Lets the child wait until the end of the test.
    let holder = try Descriptor.open(RawString(hold.path), O_RDWR)
    defer { holder.close() }
    let running = Task { try await run("cat '\(hold.path)' & echo started >'\(fifo.path)'; wait") }
    #expect(try await Transcript(of: fifo).whole() == "started\n")
    running.cancel()
    await #expect(throws: CancellationError.self) { _ = try await running.value }
  }

  @Test func `A plugin's credentials count in a process that ignores the ends of its children`() async throws {
    await #expect(processExitsWith: .success) {
      signal(SIGCHLD, SIG_IGN)
      let plugin = ExecCredentialPlugin(
        apiVersion: v1, command: "/bin/sh", arguments: ["-c", PluginProcessTests.answer])
      let credential = try await PluginRunner(plugin: plugin, environment: [:], askingGroup: { nil }).run()
      #expect(credential.token == "t")
    }
  }
}

/// A process group beside that of the tests, in the same session.
private struct OtherProcessGroup {
  let id: pid_t
  private let input: Descriptor

  /// Starts `cat` in a group of its own; it waits for its input.
  init() throws {
    let (output, input) = try Descriptor.pipe()
    self.input = input
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, output.number, STDIN_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    var id: pid_t = 0
    let arguments = CStringArray(["cat"])
    let environment = CStringArray([])
    let code = posix_spawn(&id, "/bin/cat", &actions, &attributes, arguments.pointers, environment.pointers)
    guard code == 0 else { throw Errno(rawValue: code) }
    self.id = id
  }

  /// Ends the process, and with it the group.
  func end() {
    kill(id, SIGKILL)
    waitpid(id, nil, 0)
  }
}
