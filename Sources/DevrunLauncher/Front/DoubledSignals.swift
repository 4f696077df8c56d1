import DevrunSystem

/// Takes a signal that came to the keeper itself and one that came to the front for one, if they came together.
///
/// Who signals processes by name, or each process of a tree, means devrun once. A signal to the keeper therefore waits
/// until it is certain that the front did not get the same one; each of the front's stands for one of the keeper's at most.
struct DoubledSignals {
  /// How long a signal to the keeper waits for the same one to the front.
  static let window: Duration = .seconds(1)
  /// How long after the front has received a signal the keeper may receive the same one. The front may wait as long before
  /// it passes that on.
  static let memory = HeldSignals.longestPatience + .seconds(1)

  private typealias Arrival = (signal: Int32, time: ContinuousClock.Instant)
  private var waiting: [Arrival] = []
  private var fronts: [Arrival] = []
  private var both: [Arrival] = []

  /// When the first of the keeper's signals has waited long enough. `nil`: none waits.
  var due: ContinuousClock.Instant? { waiting.first.map { $0.time + Self.window } }

  /// The front has received a signal.
  mutating func front(_ signal: Int32, at now: ContinuousClock.Instant) {
    fronts.removeAll { $0.time + Self.memory < now }
    if let index = waiting.firstIndex(where: { $0.signal == signal }) {
      waiting.remove(at: index)
      both.append((signal, now))
    } else {
      fronts.append((signal, now))
    }
  }

  /// The keeper has received a signal.
  mutating func keeper(_ signal: Int32, at now: ContinuousClock.Instant) {
    fronts.removeAll { $0.time + Self.memory < now }
    if let index = fronts.firstIndex(where: { $0.signal == signal }) {
      fronts.remove(at: index)
      both.append((signal, now))
    } else {
      waiting.append((signal, now))
    }
  }

  /// One of the front's signals goes to the child, which may have waited. Whether the keeper has received it as well by now.
  mutating func passOn(_ signal: Int32, at now: ContinuousClock.Instant) -> Bool {
    both.removeAll { $0.time + Self.memory < now }
    if let index = both.firstIndex(where: { $0.signal == signal }) {
      both.remove(at: index)
      return true
    }
    // The time counts from now on: the child itself may send it to the keeper.
    if let index = fronts.firstIndex(where: { $0.signal == signal }) { fronts[index].time = now }
    return false
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
