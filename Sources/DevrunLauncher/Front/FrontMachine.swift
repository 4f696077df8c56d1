import DevrunPlan
import Glibc

/// What the front does about signals and about the keeper's messages: the rules, without any system call.
///
/// All signals go to the keeper, which knows the child and whether it has got the signal already. What is left are the
/// front's own duties: to stop and to end as the child does, so that the shell sees of devrun what it would see of the
/// child.
struct FrontMachine {
  /// What happens to the front.
  enum Event: Equatable {
    /// A signal came. `groupWide`: the others of this process group received it as well.
    case signal(Int32, groupWide: Bool)
    /// The keeper has something to tell.
    case message(KeeperMessage)
    /// The keeper is gone.
    case keeperGone
    /// There is no other event to be handled first.
    case idle
  }

  /// What the front is to do.
  enum Action: Equatable {
    /// Tell the keeper.
    case tell(FrontMessage)
    /// Stop by this signal until continued.
    case stop(Int32)
    /// End as the child did.
    case end(WaitStatus)
    /// End the child, which no keeper serves any more.
    case endChild
    /// Say that the keeper died, and end with 125.
    case reportLoss
  }

  /// Whether somebody could continue the front if it stopped: a shell with job control. Without one the kernel does not
  /// stop a process for the terminal's sake either.
  let hasJobControl: Bool
  private var childRuns = false
  /// The signal that stopped the child, until the front is stopped by it as well. Not at once: the news that the child
  /// continues may already be waiting.
  private var pendingStop: Int32?

  /// The front before there is a child.
  init(hasJobControl: Bool) { self.hasJobControl = hasJobControl }

  /// Whether `idle` is to be told as soon as it is so.
  var awaitsIdle: Bool { pendingStop != nil }

  /// What to do about an event.
  mutating func handle(_ event: Event) -> [Action] {
    switch event {
    case .signal(SIGCHLD, _):
      // The keeper's end, or a stop that somebody imposed on it. The end is told by the link as well.
      return []
    case .signal(let number, _) where !childRuns && [SIGTSTP, SIGTTIN, SIGTTOU].contains(number):
      return hasJobControl ? [.stop(number)] : []
    case .signal(let number, let groupWide):
      // If the front does not yet know of a child, the child may have been forked after the signal and missed it, so the
      // signal is forwarded. A child that did receive it still has it blocked, so forwarding it again has no effect.
      return [.tell(.signal(number, groupWide: groupWide && childRuns))]
    case .message(.started):
      childRuns = true
      return [.tell(.heard)]
    case .message(.stopped(let number)):
      guard hasJobControl || number == SIGSTOP else { return [.tell(.signal(SIGCONT, groupWide: false))] }
      pendingStop = number
      return []
    case .message(.childEnded):
      // What is left of devrun is stopped by the terminal as it was before the launch.
      childRuns = false
      pendingStop = nil
      return []
    case .message(.continued):
      pendingStop = nil
      return []
    case .idle:
      defer { pendingStop = nil }
      return pendingStop.map { [.stop($0)] } ?? []
    case .message(.finished(let status)):
      return [.end(status)]
    case .keeperGone:
      return childRuns ? [.endChild, .reportLoss] : [.reportLoss]
    }
  }
}
