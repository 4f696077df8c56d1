extension Credentials {
  /// The token of a user of OpenID Connect, which `auth-provider: oidc` holds.
  public struct IDToken: Sendable, Hashable {
    /// The token; empty if there is none yet.
    public var token: String
    /// When the token ends, in seconds since 1970; `nil` if there is no token.
    public var expiration: Int64?
    /// What the token is renewed with; `nil` if there is no refresh token.
    public var refresh: Refresh?

    /// A token of the given parts.
    public init(token: String, expiration: Int64?, refresh: Refresh? = nil) {
      self.token = token
      self.expiration = expiration
      self.refresh = refresh
    }

    /// What a token is renewed with.
    public struct Refresh: Sendable, Hashable {
      /// The issuer's URL as written; empty if the kubeconfig has none.
      public var issuer: String
      /// The client's name at the issuer; empty if the kubeconfig has none.
      public var clientID: String
      /// The client's password; empty for a client without one.
      public var clientSecret: String
      /// The token that new ones are asked for with.
      public var refreshToken: String
      /// PEM text of the certificates that the issuer's is verified with. It has precedence over the file.
      public var certificateAuthority: [UInt8]?
      /// A file of such certificates. As in kubectl, a relative path starts from the working directory.
      public var certificateAuthorityFile: String?
      /// The absolute path of the kubeconfig that holds the tokens.
      public var kubeconfig: String

      /// What a token is renewed with, of the given parts.
      public init(
        issuer: String, clientID: String, clientSecret: String = "", refreshToken: String,
        certificateAuthority: [UInt8]? = nil, certificateAuthorityFile: String? = nil, kubeconfig: String
      ) {
        self.issuer = issuer
        self.clientID = clientID
        self.clientSecret = clientSecret
        self.refreshToken = refreshToken
        self.certificateAuthority = certificateAuthority
        self.certificateAuthorityFile = certificateAuthorityFile
        self.kubeconfig = kubeconfig
      }
    }

    /// The secrets among the parts.
    public var secrets: [String] {
      [token, refresh?.refreshToken, refresh?.clientSecret].compactMap { $0 }.filter { !$0.isEmpty }
    }

    /// The end of a token, in seconds since 1970; `nil` if the text is no JSON Web Token with an end.
    public static func expiration(of token: String) -> Int64? { JSONWebToken.expiration(of: token) }
  }
}

extension Credentials.IDToken: CustomStringConvertible {
  /// The kind of credential, without the secrets.
  public var description: String { "id-token" }
}

extension Credentials.IDToken.Refresh: CustomStringConvertible {
  /// The client, without the secrets.
  public var description: String { "refresh-token of the client \(clientID)" }
}
