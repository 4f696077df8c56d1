// How credentials are printed: without the secrets, so that a log line or a debugger's session does not spread them.

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
    case .basic(let user, _): "basic, user \(user)"
    case .exec(let plugin): "exec plugin \(plugin.command)"
    }
  }
}

extension ExecCredentialPlugin.Variable: CustomStringConvertible {
  /// The variable's name, without its value.
  public var description: String { "\(name)=..." }
}
