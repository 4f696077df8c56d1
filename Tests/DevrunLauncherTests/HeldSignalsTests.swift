import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Signals of a service manager")
struct HeldSignalsTests {
  private let start = ContinuousClock.now
  private var due: ContinuousClock.Instant { start + HeldSignals.patience }

  private func running(isReached: Bool = true) -> HeldSignals {
    var signals = HeldSignals()
    signals.childStarted(isReached: isReached)
    return signals
  }

  /// Whether the signal waits.
  private func waits(
    _ signal: Int32, _ signals: inout HeldSignals, from sender: HeldSignals.Sender = .manager, isHeard: Bool = false,
    isReached: Bool?, at time: ContinuousClock.Instant
  ) -> Bool { signals.hold(signal, from: sender, isHeard: isHeard, isReached: isReached, at: time) }

  /// What has waited long enough.
  private func taken(_ signals: inout HeldSignals, at time: ContinuousClock.Instant) -> [HeldSignals.Due] {
    signals.taken(at: time)
  }

  private func held(_ signal: Int32, isHeard: Bool = false, isChilds: Bool = false, isDone: Bool = false)
    -> HeldSignals.Due
  { HeldSignals.Due(signal: signal, isHeard: isHeard, isChilds: isChilds, isDone: isDone) }

  @Test func `A signal before the launch does not wait`() {
    var signals = HeldSignals()
    #expect(!waits(SIGTERM, &signals, isReached: nil, at: start))
    #expect(signals.due == nil && taken(&signals, at: due) == [])
  }

  @Test(arguments: [true, false])
  func `A signal waits until the others of the control group have theirs`(isReached: Bool) {
    var signals = running()
    #expect(waits(SIGTERM, &signals, isHeard: true, isReached: isReached, at: start))
    #expect(signals.due == due && taken(&signals, at: start) == [])
    #expect(taken(&signals, at: due) == [held(SIGTERM, isHeard: true, isChilds: isReached)])
    #expect(signals.due == nil && taken(&signals, at: due) == [])
  }

  @Test(arguments: [true, false])
  func `A child that ends while its signal waits has received it if it was in the control group`(isReached: Bool) {
    var signals = running(isReached: !isReached)
    #expect(waits(SIGTERM, &signals, isReached: isReached, at: start))
    signals.childEnded(at: start)
    #expect(taken(&signals, at: due) == [held(SIGTERM, isChilds: isReached)])
  }

  @Test(arguments: [true, false])
  func `A child that died before the front looked had what its control group had`(isReached: Bool) {
    var signals = running(isReached: isReached)
    #expect(waits(SIGTERM, &signals, isReached: nil, at: start))
    signals.childEnded(at: start)
    #expect(waits(SIGINT, &signals, isReached: nil, at: start))
    #expect(taken(&signals, at: due) == [held(SIGTERM, isChilds: isReached), held(SIGINT, isChilds: isReached)])
  }

  @Test func `A stop long after the child's end is one signal, not two`() {
    var signals = running()
    signals.childEnded(at: start - HeldSignals.stop * 2)
    for signal in [SIGTERM, SIGHUP] { #expect(waits(signal, &signals, isReached: nil, at: start)) }
    #expect(taken(&signals, at: due) == [held(SIGTERM), held(SIGHUP, isDone: true)])
    // Another one.
    let later = start + HeldSignals.stop * 2
    #expect(waits(SIGHUP, &signals, isReached: nil, at: later))
    #expect(taken(&signals, at: later + HeldSignals.patience) == [held(SIGHUP)])
  }

  @Test func `A process's signals are not taken for one stop, and those of the group take their place`() {
    var signals = running()
    for signal in [SIGTERM, SIGHUP] {
      #expect(waits(signal, &signals, from: .process, isReached: true, at: start))
    }
    signals.withdraw(SIGTERM)
    signals.childEnded(at: start)
    #expect(taken(&signals, at: due) == [held(SIGHUP, isChilds: true)])
    #expect(waits(SIGINT, &signals, isReached: nil, at: start))
    signals.withdraw(SIGINT)
    #expect(taken(&signals, at: due) == [held(SIGINT, isChilds: true)])
  }

  @Test func `A child that a stop does not reach gets both of its signals`() {
    var signals = running()
    for signal in [SIGTERM, SIGHUP] { #expect(waits(signal, &signals, isReached: false, at: start)) }
    #expect(taken(&signals, at: due) == [held(SIGTERM), held(SIGHUP)])
  }
}
