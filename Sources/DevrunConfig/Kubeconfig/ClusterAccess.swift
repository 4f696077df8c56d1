public import DevrunCore

/// All that an API client needs to reach one cluster as one user: what a context of a kubeconfig comes to
/// once files are read and names are resolved. Plain data; nothing in it refers back to the kubeconfig.
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
  /// The context's name, or `in-cluster` where there is no kubeconfig.
  public var contextName: String
  /// How the user shows who they are.
  public var credentials: Credentials
  /// Whom the user acts as, if as someone else.
  public var impersonate: Impersonation?

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

/// How a user shows who they are. A client certificate and an `Authorization` header do not exclude each other:
/// kubectl sends both. With neither, the user is anonymous.
public struct Credentials: Sendable, Hashable {
  /// A certificate for the TLS handshake.
  public var clientCertificate: ClientCertificate?
  /// Where the `Authorization` header comes from.
  public var authorization: Authorization?

  /// Credentials of the given parts; of neither, none.
  public init(clientCertificate: ClientCertificate? = nil, authorization: Authorization? = nil) {
    self.clientCertificate = clientCertificate
    self.authorization = authorization
  }

  /// A client certificate and its key.
  public struct ClientCertificate: Sendable, Hashable {
    /// PEM text of the certificate, followed by those of the chain if there are some.
    public var certificate: [UInt8]
    /// PEM text of the private key.
    public var key: [UInt8]

    /// A client certificate of PEM texts.
    public init(certificate: [UInt8], key: [UInt8]) {
      self.certificate = certificate
      self.key = key
    }
  }

  /// Where the `Authorization` header comes from.
  public enum Authorization: Sendable, Hashable {
    /// A bearer token.
    case token(String)
    /// A file that holds a bearer token, to be read anew from time to time since others renew it. `fallback` is the
    /// token to use while the file cannot be read, if there is one.
    case tokenFile(path: String, fallback: String?)
    /// A user name and a password (RFC 7617).
    case basic(user: String, password: String)
    /// A program that prints credentials: a token, a client certificate or both. kubectl runs it only where there are
    /// no other credentials, and so there is never a `clientCertificate` beside it.
    case exec(ExecCredentialPlugin)
  }
}

/// Whom a user acts as (Kubernetes' user impersonation; the `Impersonate-*` headers).
public struct Impersonation: Sendable, Hashable {
  /// The user's name.
  public var user: String
  /// The user's uid, if one is given.
  public var uid: String?
  /// The groups that the user is taken to be in.
  public var groups: [String]
  /// Further fields of the user, each with its values.
  public var extra: [String: [String]]

  /// An impersonation of the given user.
  public init(user: String, uid: String? = nil, groups: [String] = [], extra: [String: [String]] = [:]) {
    self.user = user
    self.uid = uid
    self.groups = groups
    self.extra = extra
  }
}

/// A credential plugin: a program that prints an `ExecCredential` object (API group `client.authentication.k8s.io`,
/// KEP-541). This says how to run it; running it is the API client's business.
public struct ExecCredentialPlugin: Sendable, Hashable {
  /// The versions of `ExecCredential` that devrun supports.
  public static let supportedVersions = ["client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1"]

  /// The version of `ExecCredential` that is spoken: one of `supportedVersions`.
  public var apiVersion: String
  /// The program: a name to be found in PATH, or an absolute path. (A path in a kubeconfig is relative to that file; it
  /// has been made absolute.)
  public var command: String
  /// The program's arguments.
  public var arguments: [String]
  /// Variables to set on top of the user's own environment.
  public var environment: [Variable]
  /// What to tell the user where the program is not found.
  public var installHint: String?
  /// Whether the program may or must talk to the user.
  public var interactiveMode: InteractiveMode
  /// The cluster to describe in `KUBERNETES_EXEC_INFO`; `nil` unless `provideClusterInfo` is set.
  public var cluster: Cluster?

  /// A plugin of the given parts.
  public init(
    apiVersion: String, command: String, arguments: [String] = [], environment: [Variable] = [],
    installHint: String? = nil, interactiveMode: InteractiveMode = .ifAvailable, cluster: Cluster? = nil
  ) {
    self.apiVersion = apiVersion
    self.command = command
    self.arguments = arguments
    self.environment = environment
    self.installHint = installHint
    self.interactiveMode = interactiveMode
    self.cluster = cluster
  }

  /// A variable of the program's environment.
  public struct Variable: Sendable, Hashable {
    /// The variable's name.
    public var name: String
    /// The variable's value.
    public var value: String

    /// A variable of the given name and value.
    public init(name: String, value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Whether the program may or must talk to the user on standard input.
  public enum InteractiveMode: String, Sendable, Hashable, CaseIterable {
    /// It never reads standard input.
    case never = "Never"
    /// It reads standard input where that is a terminal, and works without.
    case ifAvailable = "IfAvailable"
    /// It cannot work unless standard input is a terminal.
    case always = "Always"
  }

  /// The cluster as a plugin is told of it (the `Cluster` type of `client.authentication.k8s.io`).
  public struct Cluster: Sendable, Hashable {
    /// The API server's URL.
    public var server: String
    /// The name to check the server's certificate against.
    public var tlsServerName: String?
    /// Whether the server's certificate is taken unchecked.
    public var insecureSkipTLSVerify: Bool
    /// PEM text of the certificates that are trusted.
    public var certificateAuthority: [UInt8]?
    /// The proxy for every request.
    public var proxyURL: String?
    /// Whether responses must not be asked for in compressed form.
    public var disableCompression: Bool
    /// What the cluster's extension `client.authentication.k8s.io/exec` holds.
    public var config: JSONValue?

    /// A cluster of the given parts.
    public init(
      server: String, tlsServerName: String? = nil, insecureSkipTLSVerify: Bool = false,
      certificateAuthority: [UInt8]? = nil, proxyURL: String? = nil, disableCompression: Bool = false,
      config: JSONValue? = nil
    ) {
      self.server = server
      self.tlsServerName = tlsServerName
      self.insecureSkipTLSVerify = insecureSkipTLSVerify
      self.certificateAuthority = certificateAuthority
      self.proxyURL = proxyURL
      self.disableCompression = disableCompression
      self.config = config
    }
  }
}
