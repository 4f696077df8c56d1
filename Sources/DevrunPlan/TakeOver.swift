/// When a session takes the cluster's traffic for the target's ports.
public enum TakeOver: String, Sendable, Hashable, Codable, CaseIterable {
  /// When the command first listens on a local port of them.
  case listen
  /// Before the command starts.
  case now
  /// Not at all: the session is its own pod alone.
  case never
}
