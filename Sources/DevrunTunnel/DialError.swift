public import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Why a connection through the tunnel could not be made.
public enum DialError: UserFacingError, Hashable {
  /// connect(2) failed in the pod with this errno of Linux.
  case connect(errno: Int32)
  /// The name does not exist in the cluster.
  case nameNotFound
  /// The cluster's name servers do not answer.
  case nameUnavailable
  /// The agent does not serve this; its words.
  case refused(String)
  /// There is no tunnel (any more).
  case tunnelClosed

  init(_ failure: DialFailure) {
    switch failure {
    case .errno(let number): self = .connect(errno: number)
    case .nameNotFound: self = .nameNotFound
    case .nameUnavailable: self = .nameUnavailable
    case .refused(let text): self = .refused(text)
    }
  }

  /// What connect(2) returns to a program that asked for this connection.
  public var errno: Int32 {
    switch self {
    case .connect(let errno): errno
    case .nameNotFound, .nameUnavailable: EHOSTUNREACH
    case .refused: EACCES
    case .tunnelClosed: ENETUNREACH
    }
  }

  /// What the person is told.
  public var message: ErrorMessage {
    switch self {
    case .connect(let errno):
      ErrorMessage("the connection could not be made from the pod", why: Errno(rawValue: errno).description)
    case .nameNotFound: ErrorMessage("the name does not exist in the cluster")
    case .nameUnavailable: ErrorMessage("the cluster's name servers do not answer")
    case .refused(let text): ErrorMessage("the agent does not make this connection", why: text)
    case .tunnelClosed: ErrorMessage("there is no connection to the agent")
    }
  }
}
