import DevrunConfig
import DevrunCore
internal import DevrunSystem

/// The proxy on the way to the API server.
struct ProxyServer: Sendable, Hashable {
  /// How the proxy is spoken to.
  enum Kind: Sendable, Hashable {
    /// HTTP `CONNECT` (RFC 9110 section 9.3.6).
    case http
    /// The same over TLS.
    case https
    /// SOCKS version 5 (RFC 1928), without authentication. Names are resolved by the proxy.
    case socks5
  }

  /// How the proxy is spoken to.
  var kind: Kind
  /// The proxy's URL.
  var url: ServerURL

  /// The value of a `Proxy-Authorization` header, if the URL has a user.
  var authorization: String? {
    url.userInfo.map { "Basic " + base64("\($0.user):\($0.password)".utf8) }
  }

  /// The proxy for a server: `proxy-url` where the kubeconfig has one, else what the environment says
  /// (`HTTPS_PROXY` for https, `HTTP_PROXY` for http, each in capitals or not; `NO_PROXY`), as kubectl does it.
  ///
  /// Throws `KubeError.configuration` where the proxy's URL cannot be used.
  static func choose(
    for server: ServerURL, access: ClusterAccess, environment: EnvironmentVariables
  ) throws(KubeError) -> ProxyServer? {
    if let text = access.proxyURL, !text.isEmpty {
      return try ProxyServer(text, source: "proxy-url of the cluster in the kubeconfig")
    }
    func value(_ name: String) -> (name: String, text: String)? {
      for name in [name, name.lowercased()] {
        if let text = environment[RawString(name)]?.description, !text.isEmpty { return (name, text) }
      }
      return nil
    }
    guard let (name, text) = value(server.scheme == "https" ? "HTTPS_PROXY" : "HTTP_PROXY"),
      !NoProxyRules(value("NO_PROXY")?.text ?? "").exclude(host: server.host, port: server.port)
    else { return nil }
    // Go takes `host:port`, too.
    return try ProxyServer(text.contains("://") ? text : "http://" + text, source: name)
  }

  /// The same proxy where a relay makes it available in the clear.
  func relayed(port: Int) -> ProxyServer {
    var proxy = self
    proxy.kind = .http
    proxy.url.host = "127.0.0.1"
    proxy.url.port = port
    return proxy
  }

  private init(_ text: String, source: String) throws(KubeError) {
    guard let url = ServerURL(text) else {
      throw .configuration(
        what: "the proxy of \(source) cannot be used", why: "it is no http, https or socks5 URL",
        remedy: "write it as http://HOST:PORT")
    }
    self.url = url
    switch url.scheme {
    case "http": kind = .http
    case "https": kind = .https
    default:
      kind = .socks5
      if url.userInfo != nil {
        throw .configuration(
          what: "the proxy of \(source) cannot be used", why: "it wants a password, which is not supported for SOCKS",
          remedy: "use the proxy over HTTP, or one without a password")
      }
    }
  }
}
