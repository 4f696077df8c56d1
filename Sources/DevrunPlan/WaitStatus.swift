public import DevrunCore

/// How a process ended (wait(2)).
public enum WaitStatus: Sendable, Hashable, Codable {
  /// It exited with this status.
  case exited(Int32)
  /// It died of this signal.
  case killed(Int32, coreDumped: Bool)

  /// The end of a run that devrun itself ended.
  public static func failed(_ status: ExitStatus) -> WaitStatus { .exited(status.rawValue) }
}
