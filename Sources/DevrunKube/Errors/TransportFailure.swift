public import DevrunCore

/// How a connection to the API server, or a proxy before it, failed.
public enum TransportFailure: Error, Sendable, Hashable {
  /// Nothing listens there.
  case refused
  /// The name does not resolve.
  case nameNotFound(host: String)
  /// There is no way to that network or host.
  case unreachable(String)
  /// The connection could not be made in time.
  case connectTimeout
  /// The connection was made and then no answer came in time.
  case responseTimeout
  /// The connection ended in the midst of a request or before it.
  case dropped(String)
  /// The server's certificate is not trusted, or is for another name.
  case certificateNotTrusted(String)
  /// TLS failed in another way.
  case tls(TLSProblem)
  /// A proxy on the way refused or failed; whether trying again a little later makes sense.
  case proxy(String, isTransient: Bool = false)
  /// Anything else, in the words of whoever failed.
  case other(String)

  /// Whether trying again a little later makes sense.
  public var isTransient: Bool {
    switch self {
    case .refused, .nameNotFound, .unreachable, .connectTimeout, .responseTimeout, .dropped: true
    case .proxy(_, let isTransient): isTransient
    case .certificateNotTrusted, .tls, .other: false
    }
  }

  /// Whether the request may have been dropped by a connection that the other side was closing.
  var isDrop: Bool { if case .dropped = self { true } else { false } }

  /// Whether only the end of the connection is known: a relay to a proxy over TLS closes it for whatever reason.
  var isOfUnknownCause: Bool {
    switch self {
    case .dropped, .proxy, .other: true
    default: false
    }
  }

  /// The cause in a few words.
  var words: String {
    switch self {
    case .refused: "connection refused"
    case .nameNotFound(let host): "the name '\(host)' is not known"
    case .connectTimeout: "no connection in time"
    case .responseTimeout: "no answer in time"
    case .unreachable(let words), .dropped(let words), .certificateNotTrusted(let words), .proxy(let words, _),
      .other(let words):
      words
    case .tls(let problem): problem.words
    }
  }

  /// What the person is told of this failure to reach `server`.
  public func message(server: String) -> ErrorMessage {
    let what = "the cluster's API server \(server) cannot be reached"
    switch self {
    case .refused:
      return ErrorMessage(
        what, why: words,
        remedy: "is the cluster running, and is this the right context? `kubectl config get-contexts` lists them")
    case .nameNotFound:
      return ErrorMessage(
        what, why: words,
        remedy: "check the server's name in the kubeconfig, and whether a VPN is needed for it")
    case .unreachable:
      return ErrorMessage(what, why: words, remedy: "check the network, and whether a VPN is needed")
    case .connectTimeout:
      return ErrorMessage(
        what, why: words,
        remedy: "check the network, and whether a VPN or a proxy (HTTPS_PROXY, proxy-url) is needed")
    case .responseTimeout:
      return ErrorMessage(
        "the cluster's API server \(server) did not answer in time",
        remedy: "the server may be overloaded, or the network may have changed; try again")
    case .dropped:
      return ErrorMessage("the connection to \(server) broke", why: words, remedy: "try again")
    case .certificateNotTrusted:
      return ErrorMessage(
        "the certificate of \(server) cannot be trusted", why: words,
        remedy: "check certificate-authority and tls-server-name of the cluster in the kubeconfig; "
          + "a proxy that opens TLS has this effect, too")
    case .tls(let problem):
      return ErrorMessage("TLS with \(server) failed", why: words, remedy: problem.remedy)
    case .proxy:
      return ErrorMessage(
        what, why: words, remedy: "check the proxy: proxy-url in the kubeconfig, else HTTPS_PROXY and NO_PROXY")
    case .other:
      return ErrorMessage(what, why: words)
    }
  }
}
