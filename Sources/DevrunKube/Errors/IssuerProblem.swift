/// Why an issuer gave no new tokens.
public enum IssuerProblem: Error, Sendable, Hashable {
  /// The kubeconfig does not describe the issuer or the client well enough.
  case configuration(String)
  /// The issuer cannot be reached.
  case unreachable(TransportFailure)
  /// The issuer refused the request; `code` is the issuer's word for the reason.
  case refused(status: Int, code: String?)
  /// The issuer's answer cannot be used.
  case answer(String)

  /// The code of a refresh token that is not good any more (RFC 6749 section 5.2).
  static let invalidGrant = "invalid_grant"

  /// Whether the refresh token is not good any more.
  var isOfToken: Bool { if case .refused(_, IssuerProblem.invalidGrant) = self { true } else { false } }

  /// The cause in words.
  var words: String {
    switch self {
    case .configuration(let words): words
    case .unreachable(let failure): failure.words
    case .refused(_, IssuerProblem.invalidGrant):
      "the refresh-token is not good any more (invalid_grant): it has ended, was withdrawn or was used before"
    case .refused(let status, let code): "it refuses: HTTP status \(status)" + (code.map { ", \($0)" } ?? "")
    case .answer(let words): "its answer cannot be used: \(words)"
    }
  }

  /// What can be done about it.
  var remedy: String {
    let plugin = "use the credential plugin 'kubectl oidc-login' (int128/kubelogin)"
    return switch self {
    case .configuration: "check the auth-provider of the user in the kubeconfig, or \(plugin)"
    case .unreachable(.certificateNotTrusted):
      "check idp-certificate-authority(-data) of the auth-provider in the kubeconfig"
    case .unreachable: "check the network, and whether a VPN or a proxy (HTTPS_PROXY) is needed for the issuer"
    case .refused(_, IssuerProblem.invalidGrant): "log in again, or \(plugin), which logs in as often as needed"
    case .refused: "check client-id and client-secret of the auth-provider in the kubeconfig, or log in again"
    case .answer:
      "log in again with the scope 'openid', or \(plugin); some issuers give no id_token for a refresh-token"
    }
  }
}
