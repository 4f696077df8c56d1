public import DevrunCore

/// Why the credentials that a kubeconfig describes could not be had.
public enum CredentialError: UserFacingError, Hashable {
  /// A token file cannot be read or is empty.
  case tokenFile(path: String, problem: String)
  /// There is no id-token, or it has ended, and there is nothing to renew it with.
  case idToken(isMissing: Bool)
  /// The id-token has ended, and its issuer gave no new one. `issuer` is the URL as it may be shown.
  case idTokenNotRenewed(issuer: String?, problem: IssuerProblem)
  /// The credential plugin is not installed.
  case pluginNotFound(command: String, installHint: String?)
  /// The credential plugin could not be started.
  case pluginNotStarted(command: String, problem: String)
  /// The credential plugin ended with a status other than 0, or by a signal.
  case pluginFailed(command: String, ending: String)
  /// The credential plugin's output is not an `ExecCredential` that can be used.
  case pluginOutput(command: String, problem: String)
  /// The plugin needs a terminal and there is none.
  case pluginNeedsTerminal(command: String)
  /// The plugin speaks a version that devrun does not.
  case pluginVersion(command: String, apiVersion: String)
  /// A certificate or key cannot be read.
  case clientCertificate(problem: String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .tokenFile(let path, let problem):
      ErrorMessage("the token file \(path) cannot be used", why: problem)
    case .idToken(let isMissing):
      ErrorMessage(
        isMissing ? "the auth-provider 'oidc' has no id-token" : "the id-token of the auth-provider 'oidc' has expired",
        why: "it has no refresh-token to get a new one with",
        remedy: "log in again, or use the credential plugin 'kubectl oidc-login' (int128/kubelogin), which renews it as"
          + " often as needed")
    case .idTokenNotRenewed(let issuer, let problem):
      ErrorMessage(
        "the id-token of the auth-provider 'oidc' has expired, and cannot be renewed"
          + (issuer.map { " at \($0)" } ?? ""),
        why: problem.words, remedy: problem.remedy)
    case .pluginNotFound(let command, let installHint):
      ErrorMessage(
        "the credential plugin '\(command)' is not installed",
        why: command.contains("/")
          ? "the kubeconfig names it, and it does not exist" : "the kubeconfig names it and it is not in PATH",
        remedy: installHint ?? "install it, or log in in another way")
    case .pluginNotStarted(let command, let problem):
      ErrorMessage("the credential plugin '\(command)' cannot be started", why: problem)
    case .pluginFailed(let command, let ending):
      ErrorMessage(
        "the credential plugin '\(command)' failed", why: ending,
        remedy: "its own messages stand above; logging in again often helps")
    case .pluginOutput(let command, let problem):
      ErrorMessage("the credential plugin '\(command)' gave no usable credentials", why: problem)
    case .pluginNeedsTerminal(let command):
      ErrorMessage(
        "the credential plugin '\(command)' wants to ask the user", why: "standard input is no terminal",
        remedy: "run once in a terminal, or log in in a way that needs no questions")
    case .pluginVersion(let command, let apiVersion):
      ErrorMessage(
        "the credential plugin '\(command)' is set up for \(apiVersion)",
        why: "client.authentication.k8s.io/v1 and v1beta1 are supported", remedy: "update the plugin and the kubeconfig"
      )
    case .clientCertificate(let problem):
      ErrorMessage("the client certificate cannot be used", why: problem)
    }
  }
}
