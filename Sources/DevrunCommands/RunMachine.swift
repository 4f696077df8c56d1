internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan

/// The phase of a run, and what each event means in it. Pure: events in, actions out.
///
///     starting ──launched──▶ running ──commandEnded──▶ ending ──finished──▶ over
///         └────────────────────── ending (signal, failure) ─────┘
///
/// A signal before the launch ends the run. While the command runs it is the command's. During the end the first one skips
/// the waits, and the second gives up.
struct RunMachine: Sendable {
  /// What happens to a run.
  enum Event: Sendable, Hashable {
    /// The keeper got a signal that no command took, or lost its front.
    case interrupted(Interruption)
    /// The command runs.
    case launched
    /// The command is over.
    case commandEnded
    /// What was changed is being put back, because the command is over or never started.
    case ending
    /// Everything is put back, or could not be.
    case finished(Outcome)
  }

  /// How the work of a run ended.
  enum Outcome: Sendable, Hashable {
    /// The command ended, and everything is put back.
    case status(WaitStatus)
    /// A failure of devrun's own, with the status that it exits with.
    case failed(ExitStatus)
    /// It was broken off.
    case cancelled
  }

  /// What is to be done.
  enum Action: Sendable, Hashable {
    /// Cancel the start, and put back what was done.
    case cancelStart
    /// Give what the command left running its own network again.
    case releaseNetwork
    /// Put everything back without waiting for what need not be waited for.
    case skipWaits
    /// End devrun at once.
    case giveUp
    /// Let the front end with this status.
    case exit(WaitStatus)
  }

  private enum Phase: Sendable, Hashable {
    case starting
    case running
    case ending(interrupted: Bool)
    case over
  }

  private var phase = Phase.starting
  /// The signal that ended the run before the command did.
  private var cancelledBy: Int32?

  /// Whether a signal ended the run before the command did.
  var isCancelled: Bool { cancelledBy != nil }

  /// Takes an event.
  mutating func handle(_ event: Event) -> [Action] {
    switch (phase, event) {
    case (.over, _): return []
    case (_, .finished(let outcome)):
      phase = .over
      return [.exit(status(of: outcome))]
    case (.starting, .launched):
      phase = .running
      return []
    case (.starting, .interrupted(let interruption)):
      if case .signal(let signal) = interruption { cancelledBy = signal }
      phase = .ending(interrupted: false)
      return [.cancelStart]
    case (.running, .interrupted): return []  // The keeper passes it on to the command.
    case (.ending(interrupted: false), .interrupted(.signal)):
      phase = .ending(interrupted: true)
      return [.skipWaits]
    case (.ending(interrupted: true), .interrupted(.signal)):
      phase = .over
      return [.giveUp]
    case (.ending, .interrupted(.frontGone)): return []
    case (.ending, .launched): return []  // The launch overtook the signal, which the keeper passes on.
    case (_, .commandEnded):
      if phase == .running { phase = .ending(interrupted: false) }
      return [.releaseNetwork]
    case (.starting, .ending), (.running, .ending):
      phase = .ending(interrupted: false)
      return []
    case (.ending, .ending): return []
    case (.running, .launched): return []
    }
  }

  private func status(of outcome: Outcome) -> WaitStatus {
    switch outcome {
    case .status(let status): status
    case .failed(let status): .failed(status)
    case .cancelled: cancelledBy.map { .killed($0, coreDumped: false) } ?? .failed(.devrunFailed)
    }
  }
}
