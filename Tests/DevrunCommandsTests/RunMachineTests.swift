import DevrunCore
import DevrunLauncher
import DevrunPlan
import Testing

@testable import DevrunCommands

@Suite("Phases of a run")
struct RunMachineTests {
  private typealias Event = RunMachine.Event
  private typealias Action = RunMachine.Action

  private static let interrupt = Event.interrupted(.signal(2))
  private static let frontGone = Event.interrupted(.frontGone)
  private static let success = Event.finished(.status(.exited(0)))
  private static let cancelled = Event.finished(.cancelled)

  /// What the machine answers to the last of some events.
  private func answer(to events: [Event]) -> [Action] {
    var machine = RunMachine()
    return events.map { machine.handle($0) }.last ?? []
  }

  @Test(
    arguments: [
      // Before the launch a signal ends the run, and so does the death of the front.
      ([interrupt], [.cancelStart]),
      ([frontGone], [.cancelStart]),
      ([interrupt, interrupt], [.skipWaits]),
      ([interrupt, interrupt, interrupt], [.giveUp]),
      ([interrupt, cancelled], [.exit(.killed(2, coreDumped: false))]),
      ([frontGone, cancelled], [.exit(.failed(.devrunFailed))]),
      // A start that fails is put back; the first signal then skips the waits.
      ([.ending], []),
      ([.ending, interrupt], [.skipWaits]),
      ([.ending, interrupt, interrupt], [.giveUp]),
      ([.ending, .finished(.failed(.usage))], [.exit(.failed(.usage))]),
      // While the command runs signals are its own.
      ([.launched], []),
      ([.launched, interrupt], []),
      ([.launched, interrupt, interrupt, interrupt], []),
      ([.launched, frontGone], []),
      ([.launched, .commandEnded], [.releaseNetwork]),
      ([.launched, interrupt, .commandEnded, interrupt], [.skipWaits]),
      ([.launched, .commandEnded, interrupt, interrupt], [.giveUp]),
      ([.launched, .commandEnded, .ending, interrupt], [.skipWaits]),
      ([.launched, .commandEnded, frontGone], []),
      ([.launched, .commandEnded, .ending, success], [.exit(.exited(0))]),
      // The way in fails while the command runs: the session ends, then the command.
      ([.launched, .ending, .commandEnded], [.releaseNetwork]),
      // The launch overtook the signal that cancelled it.
      ([interrupt, .launched], []),
      ([interrupt, .launched, .commandEnded], [.releaseNetwork]),
      // What comes after the end means nothing.
      ([.launched, .commandEnded, success, interrupt], []),
      ([interrupt, interrupt, interrupt, interrupt], []),
      ([interrupt, interrupt, interrupt, success], []),
      ([success, success], []),
    ] as [([RunMachine.Event], [RunMachine.Action])])
  func `Each event in each phase has one answer`(events: [RunMachine.Event], expected: [RunMachine.Action]) {
    #expect(answer(to: events) == expected)
  }

  @Test func `Only a signal before the launch cancels a run`() {
    var machine = RunMachine()
    #expect(!machine.isCancelled)
    _ = machine.handle(.launched)
    _ = machine.handle(Self.interrupt)
    #expect(!machine.isCancelled)
    var other = RunMachine()
    _ = other.handle(Self.interrupt)
    #expect(other.isCancelled)
  }
}
