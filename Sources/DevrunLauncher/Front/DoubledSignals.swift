import DevrunSystem

/// Takes a signal that came to the keeper itself and one that came to the front for one, if they came together.
///
/// Who signals processes by name, or each process of a tree, means devrun once. A signal to the keeper therefore waits
/// until it is certain that the front did not get the same one; each of the front's stands for one of the keeper's at most.
struct DoubledSignals {
  /// How far apart two signals may come that were sent together. The front itself may wait before it passes one on.
  static let window: Duration = .milliseconds(300)

  private typealias Arrival = (signal: Int32, time: ContinuousClock.Instant)
  private var waiting: [Arrival] = []
  private var passedOn: [Arrival] = []

  /// When the first of the keeper's signals has waited long enough. `nil`: none waits.
  var due: ContinuousClock.Instant? { waiting.first.map { $0.time + Self.window } }

  /// The front has passed a signal on.
  mutating func front(_ signal: Int32, at now: ContinuousClock.Instant) {
    passedOn.removeAll { $0.time + Self.window < now }
    if let index = waiting.firstIndex(where: { $0.signal == signal }) {
      waiting.remove(at: index)
    } else {
      passedOn.append((signal, now))
    }
  }

  /// The keeper has received a signal.
  mutating func keeper(_ signal: Int32, at now: ContinuousClock.Instant) {
    passedOn.removeAll { $0.time + Self.window < now }
    if let index = passedOn.firstIndex(where: { $0.signal == signal }) {
      passedOn.remove(at: index)
    } else {
      waiting.append((signal, now))
    }
  }

  /// The keeper's signals that have waited long enough: they came to the keeper alone.
  mutating func taken(at now: ContinuousClock.Instant) -> [Int32] {
    let count = waiting.prefix { $0.time + Self.window <= now }.count
    defer { waiting.removeFirst(count) }
    return waiting.prefix(count).map(\.signal)
  }

  /// All of the keeper's signals that wait: no other can come from the front any more.
  mutating func takenAll() -> [Int32] {
    defer { waiting = [] }
    return waiting.map(\.signal)
  }
}
