import DevrunCore
import Foundation
import Glibc
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("In each of the ways in", .timeLimit(.minutes(15)), .sharingTheMachine)
struct BehaviourTests {
  /// What makes a launch take the way.
  private func change(_ example: IsolationCase, _ fixture: LaunchFixture) throws -> (inout LaunchScript) -> Void {
    let hosts = RawString(try fixture.write("hosts", "127.201.0.1 private\n"))
    return { script in
      script.plan.hostsFile = hosts
      script.isolate(as: example)
    }
  }

  @Test("the exit status is the command's", arguments: IsolationCase.all, [0, 7, 125, 126, 127, 255])
  func exitStatus(_ example: IsolationCase, status: Int32) async throws {
    let fixture = try LaunchFixture()
    let outcome = try await fixture.run(
      ["sh", "-c", "exit \(status)"], as: example.user, change(example, fixture))
    #expect(outcome.status == .exited(status) && outcome.errors == "")
  }

  @Test(
    "the death is the command's", arguments: IsolationCase.all,
    [SIGHUP, SIGINT, SIGQUIT, SIGABRT, SIGKILL, SIGSEGV, SIGPIPE, SIGTERM, SIGSYS])
  func death(_ example: IsolationCase, signal: Int32) async throws {
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

  @Test("every signal that can be caught is forwarded once", arguments: IsolationCase.all, [false, true])
  func everySignal(_ example: IsolationCase, groupWide: Bool) async throws {
    let fixture = try LaunchFixture()
    let process = try fixture.launch(Self.counter, as: example.user, change(example, fixture))
    #expect(await process.output.contains("ready\n"))
    for signal in Self.catchable {
      if groupWide { process.signalGroup(signal) } else { process.signal(signal) }
      #expect(await process.output.contains("<\(signal) 1>"))
    }
    // What was forwarded by mistake comes before this.
    process.signal(Self.last)
    #expect(await process.output.contains("<\(Self.last) 1>"))
    process.closeInput()
    #expect(await process.status() == .exited(9))
    let text = process.output.text
    #expect(Self.catchable.filter { text.contains("<\($0) 2>") } == [])
  }

  @Test("`timeout` ends the command and tells 124", arguments: IsolationCase.all)
  func timeout(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "sh", "-c", "trap 'echo ended; exit 7' TERM; echo ready; while :; do sleep 1; done",
      ]))
    try change(example, fixture)(&script)
    let process = try SpawnedProcess(
      ["timeout", "-s", "TERM", "1000"] + fixture.commandLine(script, as: example.user), keeping: fixture)
    #expect(await process.output.contains("ready\n"))
    // What its timer would send.
    process.signal(SIGALRM)
    #expect(await process.status() == .exited(124))
    #expect(await process.output.whole().hasSuffix("ended\n"))
  }

  @Test("a session without a terminal changes nothing", arguments: IsolationCase.all)
  func ownSession(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    let process = try fixture.launch(
      ["sh", "-c", "trap 'exit 6' TERM; cat /etc/hosts; while :; do sleep 0.1; done"], as: example.user,
      place: .ownSession,
      change(example, fixture))
    #expect(await process.output.contains("127.201.0.1 private\n"))
    process.signal(SIGTERM)
    #expect(await process.status() == .exited(6))
  }

  @Test("nohup's command outlives a hang-up", arguments: IsolationCase.all)
  func nohup(_ example: IsolationCase) async throws {
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
    let process = try SpawnedProcess(["nohup"] + fixture.commandLine(script, as: example.user), keeping: fixture)
    #expect(await process.output.contains("ready\n"))
    process.signal(SIGHUP)
    process.signalGroup(SIGHUP)
    process.signal(SIGUSR1)
    #expect(await process.output.contains("still there\n"))
    try process.write("four\n")
    #expect(await process.status() == .exited(5))
  }

  @Test("pipelines end as they would", arguments: IsolationCase.all)
  func pipeline(_ example: IsolationCase) async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["head", "-n", "1"]))
    try change(example, fixture)(&script)
    let line = try fixture.commandLine(script, as: example.user).joined(separator: " ")
    let process = try SpawnedProcess(
      ["bash", "-c", "yes | \(line); echo ${PIPESTATUS[*]}; yes | \(line) | cat; echo ${PIPESTATUS[*]}"],
      keeping: fixture)
    #expect(await process.output.whole() == "y\n141 0\ny\n141 0 0\n")
    #expect(await process.errors.whole() == "")
  }
}
