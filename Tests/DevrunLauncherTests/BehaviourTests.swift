import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Behaviour under each isolation", .sharingTheMachine)
struct BehaviourTests {
  /// What makes a launch take the way.
  private func change(_ example: IsolationCase, _ fixture: LaunchFixture) throws -> (inout LaunchScript) -> Void {
    let hosts = RawString(try fixture.write("hosts", "127.201.0.1 private\n"))
    return { script in
      script.plan.hostsFile = hosts
      script.isolate(as: example)
    }
  }

  @Test(arguments: IsolationCase.all, [0, 7, 125, 126, 127, 255])
  func `devrun exits with the command's status under each isolation`(
    _ example: IsolationCase, status: Int32
  ) async throws {
    let fixture = try LaunchFixture()
    let outcome = try await fixture.run(
      ["sh", "-c", "exit \(status)"], as: example.user, change(example, fixture))
    #expect(outcome.status == .exited(status) && outcome.errors == "")
  }

  @Test(arguments: IsolationCase.all, [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGSYS])
  func `devrun dies of the signal that killed the command under each isolation`(
    _ example: IsolationCase, signal: Int32
  ) async throws {
    let fixture = try LaunchFixture()
    let outcome = try await fixture.run(
      ["sh", "-c", "ulimit -c 0; kill -\(signal) $$"], as: example.user, change(example, fixture))
    #expect(outcome.status == .killed(signal, coreDumped: false) && outcome.errors == "")
  }

  /// A program that tells how often it has got each signal; it exits with 9 when its input ends.
  private static let counter = [
    "python3", "-uc",
    SignalWatch.python + """
      counts = {}
      def count(number):
        counts[number] = counts.get(number, 0) + 1
        os.write(1, b"<%d %d>" % (number, counts[number]))
      on_signals([n for n in range(1, 65) if n not in (9, 17, 18, 19, 32, 33)], count)
      os.write(1, b"ready\\n")
      sys.stdin.read()
      os._exit(9)
      """,
  ]

  /// All that can be caught, but for SIGCHLD, which tells devrun of its own children, SIGCONT, and the last.
  private static let catchable = (1...63).filter { ![9, 17, 18, 19, 32, 33].contains($0) }.map { Int32($0) }
  /// The last of all signals: a process takes those with lower numbers first.
  private static let last: Int32 = 64

  @Test(arguments: IsolationCase.all, [false, true])
  func `Every catchable signal reaches the command exactly once under each isolation`(
    _ example: IsolationCase, groupWide: Bool
  ) async throws {
    let fixture = try LaunchFixture()
    let process = try fixture.launch(Self.counter, as: example.user, change(example, fixture))
    try await process.output.wait(for: "ready\n")
    for signal in Self.catchable {
      if groupWide { process.signalGroup(signal) } else { process.signal(signal) }
      try await process.output.wait(for: "<\(signal) 1>")
    }
    // What was forwarded by mistake comes before this.
    process.signal(Self.last)
    try await process.output.wait(for: "<\(Self.last) 1>")
    process.closeInput()
    #expect(try await process.status() == .exited(9))
    let text = process.output.text
    #expect(Self.catchable.filter { text.contains("<\($0) 2>") } == [])
  }

  @Test(arguments: IsolationCase.all)
  func `timeout ends the command and exits with 124 under each isolation`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "sh", "-c", "trap 'echo ended; exit 7' TERM; echo ready; while :; do sleep 1; done",
      ]))
    try change(example, fixture)(&script)
    let process = try TestProcess(
      ["timeout", "-s", "TERM", "1000"] + fixture.commandLine(script, as: example.user), keeping: fixture)
    try await process.output.wait(for: "ready\n")
    // What its timer would send.
    process.signal(SIGALRM)
    #expect(try await process.status() == .exited(124))
    #expect(try await process.output.whole().hasSuffix("ended\n"))
  }

  @Test(arguments: IsolationCase.all)
  func `A command without a terminal has its hosts file and receives SIGTERM`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let process = try fixture.launch(
      ["sh", "-c", "trap 'exit 6' TERM; cat /etc/hosts; while :; do sleep 0.1; done"], as: example.user,
      place: .ownSession,
      change(example, fixture))
    try await process.output.wait(for: "127.201.0.1 private\n")
    process.signal(SIGTERM)
    #expect(try await process.status() == .exited(6))
  }

  @Test(arguments: IsolationCase.all)
  func `A command under nohup outlives SIGHUP under each isolation`(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "python3", "-uc",
        SignalWatch.python + """
          on_signals([signal.SIGUSR1], lambda number: print("still there"))
          print("ready")
          os._exit(len(sys.stdin.readline()))
          """,
      ]))
    try change(example, fixture)(&script)
    let process = try TestProcess(["nohup"] + fixture.commandLine(script, as: example.user), keeping: fixture)
    try await process.output.wait(for: "ready\n")
    process.signal(SIGHUP)
    process.signalGroup(SIGHUP)
    process.signal(SIGUSR1)
    try await process.output.wait(for: "still there\n")
    try process.write("four\n")
    #expect(try await process.status() == .exited(5))
  }

  @Test(arguments: IsolationCase.all)
  func `A writer dies of SIGPIPE when the command stops reading, under each isolation`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["head", "-n", "1"]))
    try change(example, fixture)(&script)
    let line = try fixture.commandLine(script, as: example.user).joined(separator: " ")
    let process = try TestProcess(
      ["bash", "-c", "yes | \(line); echo ${PIPESTATUS[*]}; yes | \(line) | cat; echo ${PIPESTATUS[*]}"],
      keeping: fixture)
    #expect(try await process.output.whole() == "y\n141 0\ny\n141 0 0\n")
    #expect(try await process.errors.whole() == "")
  }
}
