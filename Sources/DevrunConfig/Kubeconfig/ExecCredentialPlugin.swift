public import DevrunCore

/// A credential plugin: a program that prints an `ExecCredential` object (API group `client.authentication.k8s.io`,
/// KEP-541). The API client runs it.
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
  /// The hint to print if the program is not found.
  public var installHint: String?
  /// Whether the program may or must ask the user.
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

  /// Whether the program may or must ask the user on standard input.
  public enum InteractiveMode: String, Sendable, Hashable, CaseIterable {
    /// It never reads standard input.
    case never = "Never"
    /// It reads standard input if that is a terminal, and works without.
    case ifAvailable = "IfAvailable"
    /// It cannot work unless standard input is a terminal.
    case always = "Always"
  }

  /// The cluster as a plugin gets it (the `Cluster` type of `client.authentication.k8s.io`).
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

extension ExecCredentialPlugin.Variable: CustomStringConvertible {
  /// The variable's name, without its value.
  public var description: String { "\(name)=..." }
}
