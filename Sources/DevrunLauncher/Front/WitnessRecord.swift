import Glibc

/// The signals that the witness has received and about which the front has not asked yet: the rules, without any system
/// call.
///
/// The front asks soon after it has received the same one. If it did not receive it, the signal was sent to the witness
/// alone, and must not be taken for one that comes to the front much later.
struct WitnessRecord {
  /// How long after it has received a signal the front asks at the latest. It may hold a signal for a while first.
  static let patience = HeldSignals.longestPatience + .seconds(1)

  private var received: [Int32: ContinuousClock.Instant] = [:]

  /// When the first of the signals may be forgotten. `nil`: there is none.
  var due: ContinuousClock.Instant? { received.values.min().map { $0 + Self.patience } }

  /// The witness has received a signal.
  mutating func receive(_ signal: Int32, at now: ContinuousClock.Instant) {
    if signal == SIGCONT {
      for stop in Witness.stopSignals { received[stop] = nil }
    } else {
      received[signal] = now
    }
  }

  /// Whether the witness has received a signal about which the front asks now.
  mutating func take(_ signal: Int32) -> Bool { received.removeValue(forKey: signal) != nil }

  /// Forgets what the front does not ask about any more.
  ///
  /// - Parameter isPending: whether the front has received a signal as well and not looked at it, as while it is stopped.
  mutating func forget(at now: ContinuousClock.Instant, isPending: (Int32) -> Bool) {
    for (signal, time) in received where time + Self.patience <= now {
      received[signal] = isPending(signal) ? now : nil
    }
  }
}
