import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Signals that the command dies of", .sharingTheMachine)
struct EndSignalTests {
  /// A run whose end waits for a daemon that the command has left behind, which waits for the end of its input. The first
  /// signal that is not the command's interrupts this wait.
  private struct Run {
    let process: TestProcess
    let log: Transcript
    let command: pid_t
    let keeper: pid_t

    /// - Parameter finish: a FIFO for which the end waits, when it does not wait for the daemon any more.
    init(_ fixture: LaunchFixture, finishAfter finish: Fifo? = nil) async throws {
      log = try Transcript(of: Fifo(fixture.path("log")))
      let program = """
        import os, signal, sys
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        ids = os.getpid(), os.getppid()
        if os.fork(): signal.pause()
        os.setsid()
        print(*ids, "ready")
        sys.stdin.read()
        """
      process = try fixture.launch(["python3", "-uc", program]) {
        $0.waitsForDescendants = true
        $0.finishAfter = finish?.path
        $0.log = fixture.path("log")
      }
      try await process.output.wait(for: "ready\n")
      let ids = process.output.text.split(separator: " ").compactMap { pid_t($0) }
      (command, keeper) = (try #require(ids.first), try #require(ids.dropFirst().first))
    }

    /// The signals that interrupted the end, of which the last one was sent for this purpose, after all others.
    func interruptions(endingAs status: WaitStatus) async throws -> [String] {
      try await log.wait(for: "\nended\n")
      #expect(try await process.status() == status)
      process.closeInput()
      return try await log.whole().split(separator: "\n").map(String.init).filter { $0.hasPrefix("signal(") }
    }
  }

  @Test func `A Ctrl-C that ends the command does not interrupt what follows, and a later signal does`() async throws {
    let run = try await Run(LaunchFixture())
    // The front looks at its signals when the keeper has noticed the command's end already.
    run.process.signal(SIGSTOP)
    run.process.signalGroup(SIGINT)
    try await run.log.wait(for: "child ended\n")
    run.process.signal(SIGTERM)
    run.process.signal(SIGCONT)
    #expect(try await run.interruptions(endingAs: .killed(SIGINT, coreDumped: false)) == ["signal(\(SIGTERM))"])
  }

  @Test(arguments: [true, false])
  func `A service manager's stop that ends the command does not interrupt what follows`(
    commandFirst: Bool
  ) async throws {
    let run = try await Run(LaunchFixture())
    let others = try [run.process.id, run.keeper] + Witness.processes(of: run.process.id, besides: run.keeper)
    let manager = try ServiceManagerProcess(
      signals: [SIGTERM, SIGHUP], to: commandFirst ? [run.command] + others : others + [run.command],
      awaitingEndOf: commandFirst ? run.command : nil)
    try await manager.process.output.wait(for: "sent\n")
    try await run.log.wait(for: "child ended\n")
    // The keeper takes what came to it alone in order, when it is certain of that.
    kill(run.keeper, SIGINT)
    #expect(try await run.interruptions(endingAs: .killed(SIGTERM, coreDumped: false)) == ["signal(\(SIGINT))"])
    try await manager.end()
  }

  @Test(arguments: [true, false])
  func `A script's signal to each process of the run that ends the command does not interrupt what follows`(
    commandFirst: Bool
  ) async throws {
    let run = try await Run(LaunchFixture())
    let others = try [run.process.id, run.keeper] + Witness.processes(of: run.process.id, besides: run.keeper)
    let sender = try ServiceManagerProcess(
      signals: [SIGTERM], to: commandFirst ? [run.command] + others : others + [run.command], named: "a-script",
      awaitingEndOf: commandFirst ? run.command : nil)
    try await sender.process.output.wait(for: "sent\n")
    try await run.log.wait(for: "child ended\n")
    kill(run.keeper, SIGINT)
    #expect(try await run.interruptions(endingAs: .killed(SIGTERM, coreDumped: false)) == ["signal(\(SIGINT))"])
    try await sender.end()
  }

  @Test func `A service manager's stop after the command's end interrupts once`() async throws {
    let fixture = try LaunchFixture()
    let finish = try Fifo(fixture.path("finish"))
    let run = try await Run(fixture, finishAfter: finish)
    kill(run.command, SIGKILL)
    try await run.log.wait(for: "child ended\n")
    let processes = try [run.process.id, run.keeper] + Witness.processes(of: run.process.id, besides: run.keeper)
    // Long after the end: nobody takes the stop for the cause of that.
    try await Task.sleep(for: HeldSignals.stop * 2)
    let manager = try ServiceManagerProcess(signals: [SIGTERM, SIGHUP], to: processes)
    try await manager.process.output.wait(for: "sent\n")
    kill(run.keeper, SIGINT)
    try await run.log.wait(for: "signal(\(SIGINT))\n")
    try await finish.openForWriting().close()
    #expect(
      try await run.interruptions(endingAs: .killed(SIGKILL, coreDumped: false))
        == ["signal(\(SIGTERM))", "signal(\(SIGINT))"])
    try await manager.end()
  }
}
