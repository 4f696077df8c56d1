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
    signals.keeper(SIGTERM, at: later + .milliseconds(1))
    #expect(signals.taken(at: later + DoubledSignals.window * 2) == [SIGTERM])
  }

  @Test func `Nothing waits for a front that is gone`() {
    var signals = DoubledSignals()
    for signal in [SIGTERM, SIGHUP] { signals.keeper(signal, at: start) }
    #expect(signals.takenAll() == [SIGTERM, SIGHUP])
    #expect(signals.due == nil)
  }
}
