internal import DevrunLauncher
internal import Synchronization

/// How far a run is, and what an interruption means then.
final class RunPhase: Sendable {
  /// What is to be done about an interruption.
  enum Answer: Equatable {
    /// End the session: undo what was done.
    case cancel
    /// Put everything back without waiting for what need not be waited for.
    case skipWaits
    /// End at once.
    case giveUp
    /// Nothing: it is known already, or the command has it.
    case none
  }

  private enum Stage {
    case connecting
    case running
    case restoring(interrupted: Bool)
  }

  private struct State {
    var stage = Stage.connecting
    var signal: Int32?
    var redirect: ConnectRedirect?
  }

  private let state = Mutex(State())

  /// The signal that ended the session before the command ran.
  var cancelledBy: Int32? { state.withLock(\.signal) }

  /// What answers the connects of the command and its descendants.
  var redirect: ConnectRedirect? { state.withLock(\.redirect) }

  /// The command runs.
  func launched(_ child: LaunchedChild) {
    state.withLock { state in
      state.redirect = child.redirect
      if case .connecting = state.stage { state.stage = .running }
    }
  }

  /// The command is over: what it left behind has its own network again.
  func beginRestoring() {
    let redirect = state.withLock { state in
      state.stage = .restoring(interrupted: false)
      return state.redirect
    }
    redirect?.release()
  }

  /// Takes an interruption.
  func interrupt(_ interruption: Interruption) -> Answer {
    state.withLock { state in
      switch (state.stage, interruption) {
      case (.connecting, .signal(let signal)):
        state.signal = signal
        state.stage = .restoring(interrupted: false)
        return .cancel
      case (.connecting, .frontGone):
        state.stage = .restoring(interrupted: false)
        return .cancel
      case (.running, _):
        return .none
      case (.restoring(interrupted: false), .signal):
        state.stage = .restoring(interrupted: true)
        return .skipWaits
      case (.restoring(interrupted: true), .signal):
        return .giveUp
      case (.restoring, .frontGone):
        return .none
      }
    }
  }
}
