/// How a watch gets on.
public enum WatchCondition: Sendable, Hashable {
  /// The watch fails, more than once in a row, and is tried again: the error is why.
  case troubled(KubeError)
  /// The watch is open again.
  case recovered
}

/// Decides what is reported of a watch's failures: each new kind of trouble once, and its end once.
struct WatchTrouble: Sendable {
  /// What errors have in common of which only the first is reported.
  private enum Kind: Sendable, Hashable {
    /// The API server cannot be reached, or is too busy.
    case away
    case status(Int)
    case unauthorized
    case transport
    case unexpected
    case configuration
    case credentials
  }

  private var kind: Kind?

  /// Another failure in a row.
  ///
  /// - Returns: what is to be reported.
  mutating func failed(_ error: KubeError) -> WatchCondition? {
    let new = Self.kind(error)
    guard new != kind else { return nil }
    kind = new
    return .troubled(error)
  }

  /// The watch is open.
  ///
  /// - Returns: what is to be reported.
  mutating func opened() -> WatchCondition? {
    guard kind != nil else { return nil }
    kind = nil
    return .recovered
  }

  private static func kind(_ error: KubeError) -> Kind {
    if error.isTransient { return .away }
    return switch error {
    case .status(let status, _, _): .status(status.code)
    case .unauthorized: .unauthorized
    case .transport: .transport
    case .unexpectedResponse: .unexpected
    case .configuration: .configuration
    case .credentials: .credentials
    }
  }
}
