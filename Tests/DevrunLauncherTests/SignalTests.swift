import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// A program that counts the signals it gets and says so at each; SIGUSR1 ends it.
private let counter = [
  "python3", "-u", "-c",
  SignalWatch.python + """
    counts = {}
    def count(number):
      if number == signal.SIGUSR1: os._exit(9)
      name = signal.Signals(number).name
      counts[name] = counts.get(name, 0) + 1
      print(name, counts[name])
    on_signals([signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1], count)
    print("ready")
    threading.Event().wait()
    """,
]

@Suite("Signals", .sharingTheMachine)
struct SignalTests {
  @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")])
  func `A signal to devrun alone is forwarded to the command once`(signal: Int32, word: String) async throws {
    let process = try LaunchFixture().launch(counter)
    try await process.output.wait(for: "ready")
    process.signal(signal)
    try await process.output.wait(for: "\(word) 1")
    process.signal(SIGUSR1)
    #expect(try await process.status() == .exited(9))
    #expect(try await !process.output.whole().contains("\(word) 2"))
  }

  @Test(arguments: [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGHUP, "SIGHUP")])
  func `A signal to the whole process group reaches the command only once`(signal: Int32, word: String) async throws {
    let process = try LaunchFixture().launch(counter)
    try await process.output.wait(for: "ready")
    process.signalGroup(signal)
    try await process.output.wait(for: "\(word) 1")
    process.signal(SIGUSR1)
    #expect(try await process.status() == .exited(9))
    #expect(try await !process.output.whole().contains("\(word) 2"))
  }

  @Test func `A group-wide signal in the command's first moments reaches it only once`() async throws {
    let fixture = try LaunchFixture()
    let child = """
      n=0; trap 'n=$((n + 1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.02; done; sleep 0.1; exit $((40 + n))
      """
    // Many at once, so that devrun's own processes are late.
    let processes = try (0..<60).map { _ in try fixture.launch(["sh", "-c", child]) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for process in processes {
        group.addTask {
          try await process.output.wait(for: "ready\n")
          process.signalGroup(SIGINT)
          #expect(try await process.status() == .exited(41))
        }
      }
      try await group.waitForAll()
    }
  }

  @Test func `A script's signal to its background devrun is forwarded although both share a group`() async throws {
    let fixture = try LaunchFixture()
    let script = LaunchScript(plan: try LaunchFixture.plan(counter))
    let command = try fixture.commandLine(script).joined(separator: " ")
    let process = try TestProcess(
      [
        "sh", "-c", "\(command) & read line; kill -TERM $!; read line; kill -USR1 $!; wait $!; echo status $?",
      ], keeping: fixture)
    try await process.output.wait(for: "ready")
    try process.write("\n")
    try await process.output.wait(for: "SIGTERM 1")
    try process.write("\n")
    try await process.output.wait(for: "status 9")
    #expect(!process.output.text.contains("SIGTERM 2"))
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP])
  func `A signal while devrun connects cancels the launch`(signal: Int32) async throws {
    let fixture = try LaunchFixture()
    let cluster = try Fifo(fixture.path("cluster"))
    let log = try fixture.write("log", "")
    let process = try fixture.launch(["echo", "launched"]) {
      $0.launchAfter = cluster.path
      $0.log = log
    }
    // Opened for writing only once the other side reads: it is connecting.
    let fifo = try await cluster.openForWriting()
    process.signal(signal)
    #expect(try await process.status() == .exited(125))
    fifo.close()
    #expect(try await process.output.whole() == "")
    #expect(try String(contentsOfFile: log, encoding: .utf8).contains("signal(\(signal))"))
  }

  @Test func `A signal that devrun was started to ignore does not cancel the launch`() async throws {
    let fixture = try LaunchFixture()
    let cluster = try Fifo(fixture.path("cluster"))
    var script = LaunchScript(plan: try LaunchFixture.plan(["echo", "launched"]))
    script.launchAfter = cluster.path
    script.log = try fixture.write("log", "")
    let process = try TestProcess(
      ["sh", "-c", "trap '' HUP INT; exec \"$@\"", "sh"] + fixture.commandLine(script), keeping: fixture)
    let fifo = try await cluster.openForWriting()
    for signal in [SIGHUP, SIGINT, SIGTERM] { process.signal(signal) }
    #expect(try await process.status() == .exited(125))
    fifo.close()
    #expect(try String(contentsOfFile: fixture.path("log"), encoding: .utf8) == "connecting\nsignal(\(SIGTERM))\n")
  }

  @Test(arguments: TestUser.available)
  func `SIGKILL of the front ends the command and then the keeper`(user: TestUser) async throws {
    let fixture = try LaunchFixture()
    let log = try fixture.write("log", "")
    chmod(log, 0o666)
    let process = try fixture.launch(
      ["sh", "-c", "trap 'echo ended; exit' TERM; echo ready; while :; do sleep 1; done"], as: user
    ) {
      $0.log = log
    }
    try await process.output.wait(for: "ready")
    process.signal(SIGKILL)
    #expect(try await process.status() == .killed(SIGKILL, coreDumped: false))
    try await process.output.wait(for: "ended")
    // The keeper is the last that holds it.
    try await process.errors.whole()
    #expect(try String(contentsOfFile: log, encoding: .utf8).contains("ended"))
  }

  @Test func `A command that ignores SIGTERM is killed after the front's death and a grace period`() async throws {
    let process = try LaunchFixture().launch(["sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done"]) {
      $0.graceMilliseconds = 100
    }
    try await process.output.wait(for: "ready")
    process.signal(SIGKILL)
    try await process.output.whole()
    #expect(try await process.errors.whole() == "")
  }

  @Test func `The command inherits the ignored and the blocked signals`() async throws {
    let fixture = try LaunchFixture()
    let script = LaunchScript(plan: try LaunchFixture.plan(["grep", "-E", "^Sig(Ign|Blk)", "/proc/self/status"]))
    let command = try fixture.commandLine(script)
    let process = try TestProcess(
      [
        "python3", "-c",
        """
        import os, signal, sys
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        os.execv(sys.argv[1], sys.argv[1:])
        """,
      ] + command, keeping: fixture)
    #expect(try await process.status() == .exited(0))
    let output = try await process.output.whole()
    let sets = output.split(separator: "\n").map { UInt64($0.dropFirst(8), radix: 16) ?? 0 }
    // Above 31 there may be some that glibc uses for itself and ignores on occasion.
    #expect(sets.map { $0 & 0x7fff_ffff } == [0x800, 0x1])
  }

  @Test func `SIGKILL of the keeper is reported, and devrun exits with 125`() async throws {
    let process = try LaunchFixture().launch(["sh", "-c", "echo parent $PPID; read line"])
    try await process.output.wait(for: "\n")
    let parent = try #require(pid_t(process.output.text.dropFirst(7).dropLast()))
    kill(parent, SIGKILL)
    #expect(try await process.status() == .exited(125))
    try await process.errors.wait(for: "signal 9")
    process.closeInput()
  }
}
