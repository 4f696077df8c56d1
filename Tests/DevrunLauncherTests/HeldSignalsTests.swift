import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Signals that wait")
struct HeldSignalsTests {
  private let start = ContinuousClock.now
  private var due: ContinuousClock.Instant { start + HeldSignals.patience }

  private func running(isInControlGroup: Bool = true) -> HeldSignals {
    var signals = HeldSignals()
    signals.childStarted(isInControlGroup: isInControlGroup)
    return signals
  }

  /// Whether a service manager's signal waits.
  private func waitsAsManagers(
    _ signal: Int32, _ signals: inout HeldSignals, isInControlGroup: Bool?, at time: ContinuousClock.Instant
  ) -> Bool { signals.holdManagers(signal, by: 1, reach: .alone, isInControlGroup: isInControlGroup, at: time) }

  /// Whether another process's signal waits.
  private func waits(
    _ signal: Int32, _ signals: inout HeldSignals, reach: Witnesses.Reach = .alone, showsWords: Bool? = true,
    isInGroup: Bool = true, isHandled: Bool = true, at time: ContinuousClock.Instant
  ) -> Bool {
    signals.hold(
      signal, by: 2, reach: reach, showsWords: showsWords, isInGroup: isInGroup, isHandled: isHandled, at: time)
  }

  /// What is decided about those that have waited long enough, when all of them have reached so many.
  private func verdicts(
    _ signals: inout HeldSignals, reach: Witnesses.Reach?, at time: ContinuousClock.Instant
  ) -> [HeldSignals.Verdict] {
    signals.taken(at: time, isRunning: { _ in false }, reach: { _ in reach }).map(\.verdict)
  }

  @Test func `A signal before the launch does not wait`() {
    var signals = HeldSignals()
    #expect(!waitsAsManagers(SIGTERM, &signals, isInControlGroup: nil, at: start))
    #expect(!waits(SIGTERM, &signals, at: start))
    #expect(signals.due == nil && verdicts(&signals, reach: .all, at: due) == [])
  }

  @Test(arguments: [true, false])
  func `A service manager's signal waits until the others of the control group have theirs`(isInControlGroup: Bool) {
    var signals = running()
    for signal in [SIGTERM, SIGWINCH] {
      #expect(waitsAsManagers(signal, &signals, isInControlGroup: isInControlGroup, at: start))
    }
    #expect(signals.due == due && verdicts(&signals, reach: .all, at: start) == [])
    let expected = isInControlGroup ? HeldSignals.Verdict.childs : .passed(groupWide: false)
    #expect(verdicts(&signals, reach: .all, at: due) == [expected, expected])
    #expect(signals.due == nil && verdicts(&signals, reach: .all, at: due) == [])
  }

  @Test(arguments: [.alone, .words, nil] as [Witnesses.Reach?])
  func `A service manager's signal that did not reach the control group is passed on`(reach: Witnesses.Reach?) {
    var signals = running()
    #expect(waitsAsManagers(SIGTERM, &signals, isInControlGroup: true, at: start))
    #expect(verdicts(&signals, reach: reach, at: due) == [.passed(groupWide: false)])
  }

  @Test(arguments: [true, false])
  func `A child that died before the front looked had what its control group had`(isInControlGroup: Bool) {
    var signals = running(isInControlGroup: isInControlGroup)
    #expect(waitsAsManagers(SIGTERM, &signals, isInControlGroup: nil, at: start))
    signals.childEnded(at: start)
    #expect(waitsAsManagers(SIGINT, &signals, isInControlGroup: nil, at: start))
    let expected = isInControlGroup ? HeldSignals.Verdict.childs : .passed(groupWide: false)
    #expect(verdicts(&signals, reach: .all, at: due) == [expected, expected])
  }

  @Test func `A service manager's stop long after the child's end is one signal, not two`() {
    var signals = running()
    signals.childEnded(at: start - HeldSignals.stop * 2)
    for signal in [SIGTERM, SIGHUP] {
      #expect(waitsAsManagers(signal, &signals, isInControlGroup: nil, at: start))
    }
    #expect(verdicts(&signals, reach: .all, at: due) == [.passed(groupWide: false), .childs])
    // Another one.
    let later = start + HeldSignals.stop * 2
    #expect(waitsAsManagers(SIGHUP, &signals, isInControlGroup: nil, at: later))
    #expect(verdicts(&signals, reach: .all, at: later + HeldSignals.patience) == [.passed(groupWide: false)])
  }

  @Test func `A child that a service manager's stop does not reach gets both of its signals`() {
    var signals = running()
    for signal in [SIGTERM, SIGHUP] {
      #expect(waitsAsManagers(signal, &signals, isInControlGroup: false, at: start))
    }
    #expect(verdicts(&signals, reach: .all, at: due) == [.passed(groupWide: false), .passed(groupWide: false)])
  }

  @Test func `A process's signal waits only where the child may get another one and can tell that`() {
    var signals = running()
    #expect(waits(SIGTERM, &signals, at: start) && waits(SIGUSR1, &signals, reach: .words, at: start))
    #expect(!waits(SIGTERM, &signals, reach: .all, at: start))
    #expect(waits(SIGTERM, &signals, reach: .all, isInGroup: false, at: start))
    #expect(!waits(SIGTERM, &signals, isHandled: false, at: start))
    #expect(!waits(SIGWINCH, &signals, at: start))
    #expect(signals.due == due)
  }

  @Test(
    arguments: [
      (.alone, true, .passed(groupWide: false)), (.words, true, .childs), (.words, nil, .childs),
      (.words, false, .passed(groupWide: false)), (.all, true, .passed(groupWide: true)),
      (.all, false, .passed(groupWide: true)),
    ] as [(Witnesses.Reach, Bool?, HeldSignals.Verdict)])
  func `A process's signal is the child's where those that the child is among have received it`(
    reach: Witnesses.Reach, showsWords: Bool?, verdict: HeldSignals.Verdict
  ) {
    for (first, later) in [(reach, Witnesses.Reach.alone), (.alone, reach)] where first != .all {
      var signals = running()
      #expect(waits(SIGTERM, &signals, reach: first, showsWords: showsWords, at: start))
      #expect(verdicts(&signals, reach: later, at: due) == [verdict])
    }
  }

  @Test func `A child that ends while or just before a process's signal waits had what all had`() {
    for endsFirst in [true, false] {
      var signals = running()
      if endsFirst { signals.childEnded(at: start) }
      #expect(waits(SIGTERM, &signals, reach: endsFirst ? .all : .alone, at: start))
      signals.childEnded(at: start)
      #expect(verdicts(&signals, reach: .all, at: due) == [.childs])
    }
    var signals = running()
    signals.childEnded(at: start)
    #expect(waits(SIGTERM, &signals, at: start))
    #expect(verdicts(&signals, reach: .alone, at: due) == [.passed(groupWide: false)])
    #expect(!waits(SIGTERM, &signals, reach: .all, at: start + HeldSignals.stop + .milliseconds(1)))
  }

  @Test func `A process's signal gives way to the same one to the whole group`() {
    var signals = running()
    for signal in [SIGTERM, SIGHUP] { #expect(waits(signal, &signals, at: start)) }
    signals.withdraw(SIGTERM)
    #expect(waitsAsManagers(SIGINT, &signals, isInControlGroup: true, at: start))
    signals.withdraw(SIGINT)
    #expect(
      signals.taken(at: due, isRunning: { _ in false }, reach: { _ in .alone }).map(\.signal) == [SIGHUP, SIGINT])
  }

  @Test(arguments: [true, false])
  func `A signal waits longer while its sender runs, and the later ones with it`(isInGroup: Bool) {
    var signals = running()
    for signal in [SIGTERM, SIGHUP] { #expect(waits(signal, &signals, isInGroup: isInGroup, at: start)) }
    func taken(at time: ContinuousClock.Instant, _ reach: Witnesses.Reach) -> [Int32] {
      signals.taken(at: time, isRunning: { $0 == 2 }, reach: { $0 == SIGTERM ? reach : .alone }).map(\.signal)
    }
    #expect(taken(at: due, .words) == [] && signals.due == due + HeldSignals.patience)
    // It may have gone on beyond the group.
    #expect(taken(at: due + HeldSignals.patience, .all) == (isInGroup ? [SIGTERM] : []))
    let end = start + HeldSignals.longestPatience
    #expect(taken(at: end, .alone) == (isInGroup ? [SIGHUP] : [SIGTERM, SIGHUP]) && signals.due == nil)
  }
}
