public import DevrunCore

/// All that an API client needs to reach one cluster as one user: a context of a kubeconfig with its files read and its
/// names resolved. Plain data.
public struct ClusterAccess: Sendable, Hashable {
  /// The API server's URL, with a scheme and without a slash at its end. It may have a path.
  public var server: String
  /// The name to check the server's certificate against and to send as SNI, in place of the URL's host.
  public var tlsServerName: String?
  /// Whether the server's certificate is taken unchecked.
  public var insecureSkipTLSVerify: Bool
  /// PEM text of the certificates that are trusted; `nil` means those that the system trusts.
  public var certificateAuthority: [UInt8]?
  /// The proxy for every request (http, https or socks5 URL). It has precedence over `HTTPS_PROXY` and `NO_PROXY`.
  public var proxyURL: String?
  /// Whether responses must not be asked for in compressed form.
  public var disableCompression: Bool
  /// The namespace to work in: the one asked for, else the context's, else `default`.
  public var namespace: String
  /// The namespaces that contexts of the same cluster name: those that the user works in at other times.
  public var otherNamespaces: [String]
  /// The context's name, or `in-cluster` if there is no kubeconfig.
  public var contextName: String
  /// How the user authenticates.
  public var credentials: Credentials
  /// Whom the user acts as, if as someone else.
  public var impersonate: Impersonation?
  /// What is odd in the configuration, though it can be used.
  public var warnings: [ErrorMessage] = []
  /// Where this was read; `nil` if it cannot be read again.
  public var source: AccessSource?

  /// Access of the given parts.
  public init(
    server: String, tlsServerName: String? = nil, insecureSkipTLSVerify: Bool = false,
    certificateAuthority: [UInt8]? = nil, proxyURL: String? = nil, disableCompression: Bool = false,
    namespace: String = "default", otherNamespaces: [String] = [], contextName: String,
    credentials: Credentials = Credentials(), impersonate: Impersonation? = nil
  ) {
    self.server = server
    self.tlsServerName = tlsServerName
    self.insecureSkipTLSVerify = insecureSkipTLSVerify
    self.certificateAuthority = certificateAuthority
    self.proxyURL = proxyURL
    self.disableCompression = disableCompression
    self.namespace = namespace
    self.otherNamespaces = otherNamespaces
    self.contextName = contextName
    self.credentials = credentials
    self.impersonate = impersonate
  }
}
