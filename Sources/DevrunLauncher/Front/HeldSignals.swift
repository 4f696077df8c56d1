import Glibc

/// The signals that the front has received, until those that the same ones were sent to have theirs as well: the rules,
/// without any system call.
///
/// Who ends all processes of a run (killall5, a script that walks through the tree) signals one after the other.
///
/// To stop a control group, a service manager does the same, and it may send SIGHUP after SIGTERM. The
/// child may die of its own signal before the front has looked at its one. The front's stands for nothing then: the end of
/// the run has begun by it, and is not to be hurried.
struct HeldSignals {
  /// The signals that processes send to all others of a run to end it. Others are passed on at once.
  static let endings: Set<Int32> = [SIGHUP, SIGINT, SIGQUIT, SIGTERM]

  /// Who sends a signal.
  enum Sender {
    /// A service manager, which reaches control groups.
    case manager
    /// Any other process.
    case process
  }

  /// How long it may take to signal all processes of a control group or of a run.
  static let patience: Duration = .milliseconds(100)
  /// Signals that come within so long belong to one stop.
  static let stop: Duration = .seconds(1)

  private enum Child {
    case none
    case running
    case ended(at: ContinuousClock.Instant)
  }

  private struct Held {
    let signal: Int32
    let sender: Sender
    let due: ContinuousClock.Instant
    /// Whether the witness has received it.
    let isHeard: Bool
    /// Whether the child has received what all processes of the control group, or of the run, have.
    let reachedChild: Bool
    /// Whether it only confirms a signal that came shortly before.
    let confirms: Bool
  }

  /// A signal that has waited long enough.
  struct Due: Equatable {
    /// The signal's number.
    let signal: Int32
    /// Whether the witness is known to have received it.
    let isHeard: Bool
    /// Whether nothing is to be done about it if the witness has received it.
    let isChilds: Bool
    /// Whether nothing is to be done about it in any case.
    let isDone: Bool
  }

  private var child = Child.none
  /// Whether the service manager reaches the child together with the front, as far as it could be found out last.
  private var reachesChild = false
  private var held: [Held] = []
  private var latest: ContinuousClock.Instant?

  /// When the first of the signals has waited long enough. `nil`: none waits.
  var due: ContinuousClock.Instant? { held.first?.due }

  /// The child runs.
  mutating func childStarted(isReached: Bool) {
    child = .running
    reachesChild = isReached
  }

  /// The child has ended.
  mutating func childEnded(at now: ContinuousClock.Instant) { child = .ended(at: now) }

  /// Takes a signal that may have been sent to others as well.
  ///
  /// - Parameters:
  ///   - isHeard: whether the witness has received it already.
  ///   - isReached: whether the child is found where the front and the witness are: in their control group, or by the words
  ///     of its command line. `nil` if that cannot be found out, because it is ending or has ended.
  /// - Returns: whether the signal waits. None does before the launch: what comes then ends the run.
  mutating func hold(
    _ signal: Int32, from sender: Sender = .manager, isHeard: Bool, isReached: Bool?, at now: ContinuousClock.Instant
  ) -> Bool {
    let mayHaveReached: Bool
    switch child {
    case .none: return false
    case .running:
      if let isReached, sender == .manager { reachesChild = isReached }
      mayHaveReached = isReached ?? reachesChild
    case .ended(let end): mayHaveReached = reachesChild && now - end <= Self.stop
    }
    let isManagers = sender == .manager
    let confirms = isManagers && signal == SIGHUP && latest.map { now - $0 <= Self.stop } ?? false
    if isManagers { latest = now }
    held.append(
      Held(
        signal: signal, sender: sender, due: now + Self.patience, isHeard: isHeard, reachedChild: mayHaveReached,
        confirms: confirms))
    return true
  }

  /// Forgets a process's signal that waits: the same one came to the whole process group.
  mutating func withdraw(_ signal: Int32) { held.removeAll { $0.signal == signal && $0.sender == .process } }

  /// The signals that have waited long enough.
  mutating func taken(at now: ContinuousClock.Instant) -> [Due] {
    let count = held.prefix { $0.due <= now }.count
    defer { held.removeFirst(count) }
    let runs = if case .running = child { true } else { false }
    return held.prefix(count).map {
      Due(signal: $0.signal, isHeard: $0.isHeard, isChilds: $0.reachedChild, isDone: $0.confirms && !runs)
    }
  }
}
