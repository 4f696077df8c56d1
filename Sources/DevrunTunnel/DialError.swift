public import DevrunCore
public import DevrunSystem

/// Why a connection through the tunnel could not be made.
public enum DialError: UserFacingError, Hashable {
  /// The agent could not make it, or did not want to.
  case failed(DialFailure)
  /// There is no tunnel (any more).
  case tunnelClosed

  /// What connect(2) returns to a program that asked for this connection.
  public var errno: Errno {
    switch self {
    case .failed(.connect(let error)): error
    case .failed(.nameNotFound), .failed(.nameUnavailable): .hostUnreachable
    case .failed(.refused): .accessDenied
    case .tunnelClosed: .networkUnreachable
    }
  }

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .failed(.connect(let error)):
      ErrorMessage("the connection could not be made from the pod", why: error.description)
    case .failed(.nameNotFound): ErrorMessage("the name does not exist in the cluster")
    case .failed(.nameUnavailable): ErrorMessage("the cluster's name servers do not answer")
    case .failed(.refused(let text)): ErrorMessage("the agent does not make this connection", why: text)
    case .tunnelClosed: ErrorMessage("there is no connection to the agent")
    }
  }
}
