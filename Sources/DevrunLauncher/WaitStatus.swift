public import DevrunCore

/// How a process ended.
public enum WaitStatus: Sendable, Hashable {
  /// It exited with this status.
  case exited(Int32)
  /// It died of this signal.
  case killed(Int32, coreDumped: Bool)

  /// The status as a shell shows it in `$?`: 128 and the signal's number for a death.
  public var shellStatus: Int32 {
    switch self {
    case .exited(let status): status
    case .killed(let signal, _): 128 + signal
    }
  }

  /// The end of a run that devrun itself ended.
  public static func failed(_ status: ExitStatus) -> WaitStatus { .exited(status.rawValue) }
}
