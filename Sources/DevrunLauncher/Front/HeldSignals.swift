import Glibc

/// The signals that the front has received, until those that the same ones were sent to have theirs as well: the rules,
/// without any system call.
///
/// Who ends all processes of a run (a service manager, killall5, a script that walks through the tree) signals one after the
/// other, mostly in the order of their numbers: the front first, the child last. Nothing tells that no further one follows.
/// What the front passed on meanwhile, the child would get twice. So it waits for a while, and longer while the sender runs
/// on: on a busy machine that may take its time.
///
/// The child may die of its own signal before the front has looked at its one. The front's stands for nothing then: the end of
/// the run has begun by it, and is not to be hurried. A service manager may send SIGHUP after SIGTERM.
struct HeldSignals {
  /// Those that are sent to several processes of a run, be it to end them or by a search for names. All others are passed on
  /// at once.
  ///
  /// Those of glibc's real-time signals that programs may use (SIGRTMIN to SIGRTMAX) are among them.
  static let sentToSeveral = [SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2] + Array(34...64)

  /// What is to be done about a signal that has waited.
  enum Verdict: Equatable {
    /// Nothing: the child has received it as well.
    case childs
    /// To pass it on.
    case passed(groupWide: Bool)
  }

  /// How long it may take to signal all processes of a control group or of a run.
  static let patience: Duration = .milliseconds(100)
  /// How long it may take a sender that runs all the time.
  static let longestPatience: Duration = .seconds(2)
  /// Signals that come within so long belong to one stop.
  static let stop: Duration = .seconds(1)

  private enum Child {
    case none
    case running
    case ended(at: ContinuousClock.Instant)
  }

  private struct Held {
    let signal: Int32
    let sender: pid_t
    /// Whether a service manager has sent it, which reaches control groups.
    let isManagers: Bool
    let arrival: ContinuousClock.Instant
    var due: ContinuousClock.Instant
    /// Who is known to have received it.
    var reach: Witnesses.Reach
    /// Whether that all others of the process group have received it needs no further proof.
    let isInGroup: Bool
    /// Whether the child is where the witnesses are that receive it.
    let isChildThere: Bool
    /// Whether it only confirms a signal that came shortly before.
    let confirms: Bool
  }

  private var child = Child.none
  /// Whether the service manager reaches the child together with the front, as far as it could be found out last.
  private var isInControlGroup = false
  private var held: [Held] = []
  private var latest: ContinuousClock.Instant?

  /// When the first of the signals has waited long enough. `nil`: none waits.
  var due: ContinuousClock.Instant? { held.first?.due }

  /// The child runs.
  ///
  /// - Parameter isInControlGroup: whether it is in the control group of the front.
  mutating func childStarted(isInControlGroup: Bool) {
    child = .running
    self.isInControlGroup = isInControlGroup
  }

  /// The child has ended.
  mutating func childEnded(at now: ContinuousClock.Instant) { child = .ended(at: now) }

  /// Takes a signal of a service manager.
  ///
  /// - Parameters:
  ///   - sender: its process id.
  ///   - reach: who has received it so far.
  ///   - isInControlGroup: whether the child is in the control group of the front; `nil` if that cannot be found out, because
  ///     it is ending or has ended.
  /// - Returns: whether the signal waits. None does before the launch: what comes then ends the run.
  mutating func holdManagers(
    _ signal: Int32, by sender: pid_t, reach: Witnesses.Reach, isInControlGroup: Bool?,
    at now: ContinuousClock.Instant
  ) -> Bool {
    let isChildThere: Bool
    switch child {
    case .none: return false
    case .running:
      if let isInControlGroup { self.isInControlGroup = isInControlGroup }
      isChildThere = self.isInControlGroup
    case .ended(let end): isChildThere = self.isInControlGroup && now - end <= Self.stop
    }
    let confirms = signal == SIGHUP && latest.map { now - $0 <= Self.stop } ?? false
    latest = now
    held.append(
      Held(
        signal: signal, sender: sender, isManagers: true, arrival: now, due: now + Self.patience, reach: reach,
        isInGroup: true, isChildThere: isChildThere, confirms: confirms))
    return true
  }

  /// Takes a signal of any other process.
  ///
  /// - Parameters:
  ///   - sender: its process id.
  ///   - reach: who has received it so far.
  ///   - showsWords: whether the child is found by the words by which the front and a witness are; `nil` if that cannot be
  ///     found out, because it is ending or has ended.
  ///   - isInGroup: whether the child is in the process group of the front and the witnesses.
  ///   - isHandled: whether the child can tell one such signal from two.
  /// - Returns: whether the signal waits.
  mutating func hold(
    _ signal: Int32, by sender: pid_t, reach: Witnesses.Reach, showsWords: Bool?, isInGroup: Bool, isHandled: Bool,
    at now: ContinuousClock.Instant
  ) -> Bool {
    guard Self.sentToSeveral.contains(signal) else { return false }
    switch child {
    case .none: return false
    // What the whole group has received needs no time, if the child is in it.
    case .running: if reach == .all && isInGroup || !isHandled { return false }
    case .ended(let end): if now - end > Self.stop { return false }
    }
    held.append(
      Held(
        signal: signal, sender: sender, isManagers: false, arrival: now, due: now + Self.patience, reach: reach,
        isInGroup: isInGroup, isChildThere: showsWords ?? true, confirms: false))
    return true
  }

  /// Forgets a process's signal that waits: the same one came to the whole process group, as after one to devrun alone by
  /// timeout(1).
  mutating func withdraw(_ signal: Int32) { held.removeAll { $0.signal == signal && !$0.isManagers } }

  /// The signals that have waited long enough, in the order in which they came.
  ///
  /// - Parameters:
  ///   - isRunning: whether a process runs at this moment, so that a sender may send more.
  ///   - reach: who has received a signal by now that not all were known to have.
  mutating func taken(
    at now: ContinuousClock.Instant, isRunning: (pid_t) -> Bool, reach: (Int32) -> Witnesses.Reach?
  ) -> [(signal: Int32, verdict: Verdict)] {
    var taken: [(signal: Int32, verdict: Verdict)] = []
    while var first = held.first, first.due <= now {
      // Asked in any case: the witnesses are to forget the signal.
      first.reach = max(first.reach, reach(first.signal) ?? .alone)
      let isCertain = first.reach == .all && first.isInGroup
      if !isCertain, now - first.arrival < Self.longestPatience, isRunning(first.sender) {
        first.due = now + Self.patience
        held[0] = first
        break
      }
      held.removeFirst()
      taken.append((first.signal, verdict(on: first)))
    }
    return taken
  }

  private func verdict(on held: Held) -> Verdict {
    let runs = if case .running = child { true } else { false }
    if held.isManagers {
      let isChilds = held.isChildThere && held.reach == .all || held.confirms && !runs
      return isChilds ? .childs : .passed(groupWide: false)
    }
    // Of what all have received a child that has ended has died.
    let isChilds = held.reach == .words && held.isChildThere || held.reach == .all && !runs
    return isChilds ? .childs : .passed(groupWide: held.reach == .all)
  }
}
