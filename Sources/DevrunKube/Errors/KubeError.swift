public import DevrunCore

/// Why the cluster could not be asked, or what it answered instead.
public enum KubeError: UserFacingError, Hashable {
  /// The API server refused a request; `request` says what was asked of it (`get pods/x in namespace y`).
  case status(APIStatus, request: String, context: String)
  /// The credentials of the context are not accepted (401).
  case unauthorized(context: String, server: String, words: String)
  /// The API server could not be reached, or the connection to it broke.
  case transport(TransportFailure, server: String)
  /// The server's answer is not what the API promises.
  case unexpectedResponse(request: String, server: String, problem: String)
  /// The configuration of the cluster cannot be used.
  case configuration(what: String, why: String, remedy: String?)
  /// The credentials could not be had.
  case credentials(CredentialError, context: String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .status(let status, let request, let context):
      let causes = status.causes.filter { !status.message.contains($0.message) }
        .map { $0.field.isEmpty ? $0.message : "\($0.field): \($0.message)" }
      return ErrorMessage(
        "the cluster refused to \(request)", why: ([status.message] + causes).joined(separator: "\n"),
        remedy: Self.remedy(status.refusal, context: context))
    case .unauthorized(let context, let server, let words):
      return ErrorMessage(
        "\(server) does not accept the credentials of context '\(context)'", why: words,
        remedy: "they may have expired: log in again, then see whether `kubectl --context \(context) get pods` works")
    case .transport(let failure, let server):
      return failure.message(server: server)
    case .unexpectedResponse(let request, let server, let problem):
      return ErrorMessage(
        "\(server) gave an answer that is not Kubernetes' to: \(request)", why: problem,
        remedy: "check that the server in the kubeconfig is an API server, and that no proxy answers in its place")
    case .configuration(let what, let why, let remedy):
      return ErrorMessage(what, why: why, remedy: remedy)
    case .credentials(let error, let context):
      var message = error.message
      message.what = "no credentials for context '\(context)': \(message.what)"
      return message
    }
  }
}

extension KubeError {
  /// The API server's status, if this is one.
  public var status: APIStatus? { if case .status(let status, _, _) = self { status } else { nil } }

  /// There is no such object, or no such resource.
  public var isNotFound: Bool { status?.code == 404 }

  /// The object exists already, or was changed by someone else meanwhile.
  public var isConflict: Bool { status?.code == 409 }

  /// An object of this name exists already.
  public var isAlreadyExists: Bool { status?.code == 409 && status?.reason == "AlreadyExists" }

  /// The user lacks the right, or a policy of the cluster forbids it (403); `APIStatus.refusal` tells them apart.
  public var isForbidden: Bool { status?.code == 403 }

  /// A list's continuation or a watch's resource version is too old (410).
  public var isGone: Bool { status?.code == 410 || status?.reason == "Expired" }

  /// Whether the failure may pass while a session lives, though the same request fails for now: what is transient, and what
  /// whoever refuses may take back. Credentials are renewed, an authorizer fails once, a machine wakes up before its VPN.
  public var mayPass: Bool {
    switch self {
    case .status(let status, _, _):
      status.isTransient || status.code == 403 && (status.refusal == .missingRight || status.refusal == .unknown)
    case .transport, .unauthorized, .credentials, .unexpectedResponse: true
    case .configuration: false
    }
  }

  /// Whether the same request may well succeed a little later: the server is busy or away, the network broke.
  public var isTransient: Bool {
    switch self {
    case .status(let status, _, _): status.isTransient
    case .transport(let failure, _): failure.isTransient
    case .unexpectedResponse, .unauthorized, .configuration, .credentials: false
    }
  }

  /// The wait that the server asked for before the next attempt (`Retry-After`); zero if it asked for none, or for more
  /// than 30 s.
  public var serverDelay: Duration {
    let wanted = Duration.seconds(status?.details.retryAfterSeconds ?? 0)
    return wanted <= RetryPolicy().maximumServerDelay ? wanted : .zero
  }
}

extension KubeError {
  private static func remedy(_ refusal: APIStatus.Refusal?, context: String) -> String? {
    switch refusal {
    case .missingRight:
      "the user of context '\(context)' lacks this right; ask whoever administers the cluster, or choose another context"
    case .namespaceEnds: "choose another namespace, or wait until this one is made anew"
    case .policy:
      "this is a rule of the cluster (a quota, a limit or a policy), not a missing right; ask whoever administers it"
    case .unknown:
      "see whether something in front of the API server refuses this, and whether the context is the right one"
    case nil: nil
    }
  }
}

extension APIStatus {
  /// Whether the same request may well succeed a little later.
  ///
  /// Quota admission answers 409 about the quota itself where many requests come at once.
  var isTransient: Bool {
    code == 429 || code == 408 || code >= 500 || code == 409 && details.kind == "resourcequotas"
  }
}
