import DevrunCore

/// The parts of a `scheme://[user[:password]@]host[:port][/path]` URL: an API server's or a proxy's.
struct ServerURL: Sendable, Hashable {
  /// The scheme, in lower case.
  var scheme: String
  /// The user and password before the host, percent-decoded.
  var userInfo: UserInfo?
  /// A name or an IP address, the latter without brackets; in lower case.
  var host: String
  /// The port in the URL, else the scheme's.
  var port: Int
  /// The path without a slash at its end; empty or starting with one.
  var path: String

  /// A user and a password, if there is one.
  struct UserInfo: Sendable, Hashable {
    var user: String
    var password: String
  }

  /// The default ports of the schemes that are known.
  private static let ports = ["http": 80, "https": 443, "socks5": 1080, "socks5h": 1080]

  /// Reads a URL; `nil` where it has no known scheme, no host, a bad port, white space or control characters.
  init?(_ text: String) {
    guard HeaderText.isPrintable(text), let schemeEnd = text.firstRange(of: "://") else { return nil }
    scheme = text[..<schemeEnd.lowerBound].lowercased()
    guard let schemePort = Self.ports[scheme] else { return nil }
    var rest = text[schemeEnd.upperBound...]
    rest = rest.prefix { $0 != "?" && $0 != "#" }
    var authority = rest.prefix { $0 != "/" }
    path = String(rest[authority.endIndex...])
    while path.hasSuffix("/") { path.removeLast() }
    if let at = authority.lastIndex(of: "@") {
      let parts = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
      let texts = parts.compactMap { part in
        PercentEncoding.decode(part.utf8).flatMap { String(validating: $0, as: UTF8.self) }
      }
      guard texts.count == parts.count else { return nil }
      userInfo = UserInfo(user: texts[0], password: texts.count > 1 ? texts[1] : "")
      authority = authority[authority.index(after: at)...]
    }
    guard let (host, port) = Self.hostAndPort(authority) else { return nil }
    self.host = host.lowercased()
    self.port = port ?? schemePort
  }

  /// Splits `host[:port]`, `[v6][:port]`; `nil` where the host is empty or the port is none.
  static func hostAndPort(_ text: Substring) -> (host: String, port: Int?)? {
    var host = text
    var portText: Substring = ""
    if text.hasPrefix("[") {
      guard let end = text.firstIndex(of: "]") else { return nil }
      host = text[text.index(after: text.startIndex)..<end]
      let rest = text[text.index(after: end)...]
      guard rest.isEmpty || rest.hasPrefix(":"), IPAddress(String(host)) != nil else { return nil }
      portText = rest.dropFirst()
    } else if let colon = text.lastIndex(of: ":") {
      host = text[..<colon]
      portText = text[text.index(after: colon)...]
      guard !host.contains(":") else { return nil }
    }
    guard !host.isEmpty else { return nil }
    if portText.isEmpty { return (String(host), nil) }
    guard let port = UInt16(portText), port > 0 else { return nil }
    return (String(host), Int(port))
  }

  /// The host as an address, if it is one.
  var address: IPAddress? { IPAddress(host) }

  /// Whether the port is the scheme's own.
  var hasDefaultPort: Bool { Self.ports[scheme] == port }

  /// `host:port`, brackets around an IPv6 address.
  var authority: String { "\(bracketedHost):\(port)" }

  /// What a `Host` header says: the port only where it is not the scheme's own.
  var hostHeader: String { hasDefaultPort ? bracketedHost : authority }

  /// The URL again, without user and password: what may be shown.
  var display: String { "\(scheme)://\(hostHeader)\(path)" }

  private var bracketedHost: String { host.contains(":") ? "[\(host)]" : host }
}
