import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Signals to both of devrun's processes")
struct DoubledSignalsTests {
  private let start = ContinuousClock.now
  private var later: ContinuousClock.Instant { start + DoubledSignals.window }

  @Test func `A signal to the keeper alone is taken after a while`() {
    var signals = DoubledSignals()
    signals.keeper(SIGTERM, at: start)
    signals.front(SIGINT, at: start)
    #expect(signals.taken(at: start) == [] && signals.due == later)
    #expect(signals.taken(at: later) == [SIGTERM])
    #expect(signals.taken(at: later) == [] && signals.due == nil)
  }

  @Test(arguments: [false, true])
  func `A signal to both is the front's, whichever comes first`(frontFirst: Bool) {
    var signals = DoubledSignals()
    if frontFirst { signals.front(SIGTERM, at: start) }
    signals.keeper(SIGTERM, at: start)
    if !frontFirst { signals.front(SIGTERM, at: start) }
    #expect(signals.due == nil && signals.taken(at: later) == [])
    // The next one is another signal.
    signals.keeper(SIGTERM, at: start)
    #expect(signals.taken(at: later) == [SIGTERM])
  }

  @Test func `A signal to the front stands for none that the keeper receives much later`() {
    var signals = DoubledSignals()
    signals.front(SIGTERM, at: start)
    signals.keeper(SIGTERM, at: start + DoubledSignals.memory + .milliseconds(1))
    #expect(signals.taken(at: start + DoubledSignals.memory * 2) == [SIGTERM])
  }

  @Test(arguments: [false, true])
  func `What both have received is known once, and for a while`(frontFirst: Bool) {
    var signals = DoubledSignals()
    func both(_ signal: Int32) {
      if frontFirst { signals.front(signal, at: start) }
      signals.keeper(signal, at: start)
      if !frontFirst { signals.front(signal, at: start) }
    }
    for signal in [SIGTERM, SIGHUP] { both(signal) }
    signals.front(SIGINT, at: start)
    #expect(signals.passOn(SIGTERM, at: later) && !signals.passOn(SIGTERM, at: later))
    #expect(signals.passOn(SIGINT, at: later) == false)
    #expect(signals.passOn(SIGHUP, at: start + DoubledSignals.memory + .milliseconds(1)) == false)
  }

  @Test func `A signal that the front passes on late stands for one that the keeper receives after that`() {
    var signals = DoubledSignals()
    signals.front(SIGTERM, at: start)
    #expect(signals.passOn(SIGTERM, at: later) == false)
    signals.keeper(SIGTERM, at: later + DoubledSignals.memory)
    #expect(signals.due == nil)
  }

  @Test func `Nothing waits for a front that is gone`() {
    var signals = DoubledSignals()
    for signal in [SIGTERM, SIGHUP] { signals.keeper(signal, at: start) }
    #expect(signals.takenAll() == [SIGTERM, SIGHUP])
    #expect(signals.due == nil)
  }
}
