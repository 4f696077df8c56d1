import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Signals to several of a run's processes", .sharingTheMachine)
struct TreeSignalTests {
  /// A command that prints each signal that it gets, and the ids of itself and of the keeper. With an argument it passes its
  /// first SIGTERM on to the keeper.
  private static let counter = [
    "python3", "-uc",
    SignalWatch.python + """
      counts = {}
      def count(number):
        counts[number] = counts.get(number, 0) + 1
        os.write(1, b"<%d %d>" % (number, counts[number]))
        if sys.argv[1:] == ['pass on'] and number == signal.SIGTERM and counts[number] == 1: os.kill(os.getppid(), number)
      on_signals([signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2, signal.SIGRTMIN, signal.SIGRTMAX], count)
      print(os.getpid(), os.getppid(), "ready")
      sys.stdin.read()
      os._exit(9)
      """,
  ]

  /// A run of the command, with its processes.
  private struct Run {
    let process: TestProcess
    let command: pid_t
    let keeper: pid_t

    /// - Parameters:
    ///   - arguments: the command's.
    ///   - wrapper: what is executed first, and executes the command then.
    init(_ arguments: [String] = [], by wrapper: [String] = []) async throws {
      let fixture = try LaunchFixture()
      let counter = wrapper + TreeSignalTests.counter + arguments
      let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(counter)))
      process = try TestProcess(line + ["--"] + counter, place: .ownSession, keeping: fixture)
      try await process.output.wait(for: "ready\n")
      let ids = process.output.text.split(separator: " ").compactMap { pid_t($0) }
      (command, keeper) = (try #require(ids.first), try #require(ids.dropFirst().first))
    }

    /// The processes that receive what the whole group does. The last one is found by words of the command.
    var witnesses: [pid_t] { get throws { try Witness.processes(of: process.id, besides: keeper) } }

    /// All processes of the run, in the order of their start.
    var all: [pid_t] { get throws { try [process.id, keeper] + witnesses + [command] } }

    /// How often the command has got SIGTERM, once all that was sent before has arrived.
    func terminations() async throws -> Int { try await count(of: SIGTERM) }

    /// How often the command has got the signal, once all that was sent before has arrived.
    func count(of signal: Int32) async throws -> Int {
      // The keeper passes on what came to it alone, in order, when it is certain of that.
      kill(keeper, SIGHUP)
      try await process.output.wait(for: "<\(SIGHUP) 1>")
      process.closeInput()
      #expect(try await process.status() == .exited(9))
      return try await process.output.whole().split(separator: "<").count { $0.hasPrefix("\(signal) ") }
    }
  }

  @Test func `A signal to each process named devrun reaches the command once`() async throws {
    // The second one is sent when the first has arrived: the kernel would make one of two that are pending.
    let run = try await Run(["pass on"])
    kill(run.process.id, SIGTERM)
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
  }

  @Test(
    .enabled(if: isInstalled("pkill")),
    arguments: [["devrun"], ["-f", "devrun"], ["-f", "devrun-launch .* -- python3"]])
  func `A signal by pkill to the processes that devrun's name finds reaches the command once`(
    pattern: [String]
  ) async throws {
    let run = try await Run()
    try await TestProcess.run(["pkill", "-TERM", "-s", "\(run.process.id)"] + pattern)
    #expect(try await run.terminations() == 1)
  }

  @Test(.enabled(if: isInstalled("pgrep")), arguments: ["some-word", "some-word$"])
  func `A search for words of the command finds the witness as well`(pattern: String) async throws {
    let run = try await Run(["some-word"])
    let found = try await TestProcess.run(["pgrep", "-s", "\(run.process.id)", "-f", pattern]).output
    let expected = try [run.process.id, run.keeper, run.command] + run.witnesses.suffix(1)
    #expect(Set(found.split(separator: "\n").compactMap { pid_t($0) }) == Set(expected))
    #expect(try await run.terminations() == 0)
  }

  @Test(arguments: [SIGTERM, SIGUSR2, 34, 64])
  func `A signal to the keeper alone reaches the command once`(signal: Int32) async throws {
    let run = try await Run()
    kill(run.keeper, signal)
    #expect(try await run.count(of: signal) == 1)
  }

  @Test func `A signal to the witnesses alone does not hide a later one to devrun`() async throws {
    let run = try await Run()
    for witness in try run.witnesses { kill(witness, SIGTERM) }
    // They forget it after this time.
    try await Task.sleep(for: WitnessRecord.patience * 2)
    kill(run.process.id, SIGTERM)
    #expect(try await run.terminations() == 1)
  }

  @Test func `A signal to the group of a front that is stopped reaches the command once, however late that continues`()
    async throws
  {
    let run = try await Run()
    run.process.signal(SIGSTOP)
    run.process.signalGroup(SIGTERM)
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    try await Task.sleep(for: WitnessRecord.patience * 2)
    run.process.signal(SIGCONT)
    #expect(try await run.terminations() == 1)
  }

  @Test(arguments: [SIGSTKFLT, SIGPWR, SIGALRM, SIGXCPU])
  func `A signal to the keeper that has no meaning for it does not end it`(signal: Int32) async throws {
    let run = try await Run()
    kill(run.keeper, signal)
    #expect(try await run.terminations() == 0)
  }

  @Test func `A service manager's signal to each process of the run reaches the command once`() async throws {
    let run = try await Run()
    let manager = try ServiceManagerProcess(signals: [SIGTERM], to: [run.command] + run.all.dropLast())
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
    try await manager.end()
  }

  /// Ways to execute a command: as it is, so that it has other words then, and as the leader of another process group.
  private static let wrappers: [[String]] = [[], ["env", "A_VARIABLE=a value"], ["setsid", "--wait"]]

  @Test(arguments: Self.wrappers, [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [4, 0, 3, 1, 2], [2, 0, 3, 4, 1]])
  func `A signal to each process of the run reaches the command once, in whichever order`(
    wrapper: [String], order: [Int]
  ) async throws {
    let run = try await Run(["a word"], by: wrapper)
    let processes = try run.all
    for (count, signal) in [SIGUSR2, SIGTERM].enumerated() {
      let sender = try ServiceManagerProcess(signals: [signal], to: order.map { processes[$0] }, named: "a-script")
      try await run.process.output.wait(for: "<\(signal) 1>")
      try await sender.process.output.wait(for: "sent\n")
      try await sender.end()
      if count == 1 { #expect(try await run.terminations() == 1) }
    }
    #expect(run.process.output.text.components(separatedBy: "<\(SIGUSR2) ").count == 2)
  }

  @Test(arguments: Self.wrappers)
  func `A signal to the process group reaches a command once that has other words or left the group`(
    wrapper: [String]
  ) async throws {
    let run = try await Run(by: wrapper)
    run.process.signalGroup(SIGTERM)
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
  }

  @Test func `A signal of which the command dies does not wait`() async throws {
    let process = try LaunchFixture().launch(["python3", "-uc", "import signal; print('ready'); signal.pause()"])
    try await process.output.wait(for: "ready\n")
    // The other one never waits. Of two that come together the kernel gives out the one with the lower number first.
    process.signal(SIGTERM)
    process.signal(SIGXCPU)
    #expect(try await process.status() == .killed(SIGTERM, coreDumped: false))
  }

  @Test func `A signal to devrun and then to its group reaches the command once`() async throws {
    let run = try await Run()
    let sender = try ServiceManagerProcess(
      signals: [SIGTERM], to: [run.process.id, -run.process.id], named: "timeout")
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    try await sender.process.output.wait(for: "sent\n")
    #expect(try await run.terminations() == 1)
    try await sender.end()
  }

  @Test func `A search for words that the command has given up signals it through devrun`() async throws {
    let fixture = try LaunchFixture()
    let command = ["sh", "-c", "exec \"$@\"", "some-word"] + Self.counter
    let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(command)))
    let process = try TestProcess(line + ["--"] + command, place: .ownSession, keeping: fixture)
    try await process.output.wait(for: "ready\n")
    try await TestProcess.run(["pkill", "-TERM", "-s", "\(process.id)", "-f", "some-word"])
    try await process.output.wait(for: "<\(SIGTERM) 1>")
    process.closeInput()
    #expect(try await process.status() == .exited(9))
  }

  @Test func `A service manager's signal to devrun alone reaches the command once`() async throws {
    let run = try await Run()
    let manager = try ServiceManagerProcess(signals: [SIGTERM], to: [run.process.id])
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
    try await manager.end()
  }
}
