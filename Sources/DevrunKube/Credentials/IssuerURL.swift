import DevrunCore

/// A URL of an issuer of tokens that secrets may be sent to: one of https, or of http on this machine's loopback.
struct IssuerURL: Sendable, Hashable {
  /// The server.
  var server: ServerURL
  /// The path with the query as it is written, which may end in a slash.
  var target: String

  /// Reads a URL; `nil` if it is none, or if nothing may be sent there.
  init?(_ text: String) {
    guard let server = ServerURL(text), server.userInfo == nil else { return nil }
    switch server.scheme {
    case "https": break
    case "http": guard server.host == "localhost" || server.address?.isLoopback == true else { return nil }
    default: return nil
    }
    guard let schemeEnd = text.firstRange(of: "://") else { return nil }
    let rest = text[schemeEnd.upperBound...].prefix { $0 != "#" }.drop { $0 != "/" && $0 != "?" }
    self.server = server
    target = rest.hasPrefix("/") ? String(rest) : "/" + rest
  }

  /// The place that a redirection leads to; `nil` if that is on another server.
  func redirected(to location: String) -> IssuerURL? {
    let text =
      location.hasPrefix("/") && !location.hasPrefix("//")
      ? "\(server.scheme)://\(server.authority)\(location)" : location
    guard let next = IssuerURL(text), next.server.scheme == server.scheme, next.server.host == server.host,
      next.server.port == server.port
    else { return nil }
    return next
  }
}
