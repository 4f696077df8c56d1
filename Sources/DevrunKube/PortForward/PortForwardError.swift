public import DevrunCore

/// Why a port-forward could not be opened, or ended.
public enum PortForwardError: UserFacingError, Hashable {
  /// The far side says what is wrong: usually that nothing listens on the port. The words are the node's.
  case remote(String)
  /// Nothing came from the server for two intervals of pings.
  case peerSilent
  /// The server closed the WebSocket with a code that means trouble (RFC 6455 section 7.4).
  case closed(code: Int, reason: String)
  /// The server's bytes are not what the protocol allows.
  case protocolViolation(String)
  /// The server accepted the upgrade, but not the subprotocol `v4.channel.k8s.io`.
  case subprotocolRefused(String?)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .remote(let words):
      ErrorMessage("the port-forward to the pod failed", why: words)
    case .peerSilent:
      ErrorMessage("the port-forward is dead", why: "nothing came from the cluster any more")
    case .closed(let code, let reason):
      ErrorMessage(
        "the cluster closed the port-forward", why: reason.isEmpty ? "code \(code)" : "code \(code): \(reason)")
    case .protocolViolation(let words):
      ErrorMessage("the port-forward broke", why: words)
    case .subprotocolRefused(let offered):
      ErrorMessage(
        "the cluster offers no port-forward over WebSocket that devrun knows",
        why: offered.map { "it wants the subprotocol '\($0)'" } ?? "it names no subprotocol")
    }
  }
}
