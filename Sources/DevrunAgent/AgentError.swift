public import DevrunCore

/// Why the agent cannot start.
public enum AgentError: UserFacingError, Hashable {
  /// The command line is wrong.
  case usage(String)
  /// The control port cannot be listened on.
  case controlPort(Int, String)
  /// The port for probes cannot be listened on.
  case probePort(Int, String)
  /// A port of the target cannot be listened on.
  case targetPort(Int, String)
  /// A thread, a signal mask or the like cannot be set up.
  case system(String)

  /// What the log says.
  public var message: ErrorMessage {
    switch self {
    case .usage(let what): ErrorMessage("wrong command line", why: what)
    case .controlPort(let port, let why): ErrorMessage("cannot listen on the control port \(port)", why: why)
    case .probePort(let port, let why): ErrorMessage("cannot listen on the port \(port) for probes", why: why)
    case .targetPort(let port, let why): ErrorMessage("cannot listen on the app's port \(port)", why: why)
    case .system(let what): ErrorMessage("cannot start", why: what)
    }
  }

  /// What the agent exits with; the container's status shows it to devrun.
  public var exitStatus: ExitStatus {
    switch self {
    case .usage: ExitStatus(rawValue: 64)
    case .controlPort, .probePort: ExitStatus(rawValue: 65)
    case .targetPort: ExitStatus(rawValue: 66)
    case .system: ExitStatus(rawValue: 67)
    }
  }
}
