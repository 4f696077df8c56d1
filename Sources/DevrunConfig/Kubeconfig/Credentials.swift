/// How a user authenticates. A client certificate and an `Authorization` header do not exclude each other: kubectl
/// sends both. With neither, the user is anonymous.
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
    /// A file that holds a bearer token. It is to be read again from time to time, because others renew it. `fallback`
    /// is the token to use while the file cannot be read, if there is one.
    case tokenFile(path: String, fallback: String?)
    /// The token of a user of OpenID Connect.
    case idToken(IDToken)
    /// A user name and a password (RFC 7617).
    case basic(user: String, password: String)
    /// A program that prints credentials: a token, a client certificate or both. kubectl runs it only if there are no
    /// other credentials, so there is never a `clientCertificate` beside it.
    case exec(ExecCredentialPlugin)
  }
}

// Credentials are printed without the secrets, so that a log line or a debugger's session does not spread them.

extension Credentials.ClientCertificate: CustomStringConvertible {
  /// The kind of credential, without the key.
  public var description: String { "client certificate" }
}

extension Credentials.Authorization: CustomStringConvertible {
  /// The kind of credential, without the secret.
  public var description: String {
    switch self {
    case .token: "token"
    case .tokenFile(let path, _): "token file \(path)"
    case .idToken: "id-token"
    case .basic(let user, _): "basic, user \(user)"
    case .exec(let plugin): "exec plugin \(plugin.command)"
    }
  }
}
