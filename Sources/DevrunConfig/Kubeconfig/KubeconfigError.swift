public import DevrunCore

/// Why no access to a cluster comes of the kubeconfig files. A mistake within a file is a `YAMLError`.
public enum KubeconfigError: UserFacingError, Hashable {
  /// There is no configuration in any of these places.
  case noConfiguration(looked: [String])
  /// A file cannot be read. `referrer` is the place that names it, if a file does.
  case unreadable(path: String, referrer: String?, reason: String)
  /// No context was asked for, and the files set none.
  case noCurrentContext(files: [String], available: [String])
  /// The context does not exist. `setBy` is the place of `current-context` where that names it.
  case contextNotFound(name: String, setBy: String?, files: [String], available: [String])
  /// The cluster that a context names, at `place`, does not exist.
  case clusterNotFound(name: String, context: String, place: String, available: [String])
  /// The user that a context names, at `place`, does not exist.
  case userNotFound(name: String, context: String, place: String, available: [String])
  /// The user has one of the `auth-provider`s that Kubernetes replaced by credential plugins.
  case legacyAuthProvider(name: String, user: String, place: String)

  /// The error in words.
  public var message: ErrorMessage {
    switch self {
    case .noConfiguration(let looked):
      ErrorMessage(
        "no cluster is configured",
        why: looked.isEmpty ? nil : "looked for \(looked.joined(separator: ", "))",
        remedy: "name a kubeconfig file with --kubeconfig or in KUBECONFIG, or have one written, as by"
          + " 'az aks get-credentials'")
    case .unreadable(let path, let referrer, let reason):
      ErrorMessage(
        "cannot read \(path): \(reason)", why: referrer.map { "it is named at \($0)" },
        remedy: referrer == nil ? "--kubeconfig and KUBECONFIG name the kubeconfig files" : nil)
    case .noCurrentContext(let files, let available):
      ErrorMessage(
        "no context is selected", why: "\(files.joined(separator: ", ")): no current-context",
        remedy: "use --context NAME. \(Self.list("context", available))")
    case .contextNotFound(let name, let setBy, let files, let available):
      ErrorMessage(
        "there is no context '\(name)'",
        why: setBy.map { "current-context at \($0) names it" } ?? "looked in \(files.joined(separator: ", "))",
        remedy: Self.suggestion(name, available, kind: "context"))
    case .clusterNotFound(let name, let context, let place, let available):
      ErrorMessage(
        "\(place): the context '\(context)' names the cluster '\(name)', which does not exist",
        remedy: Self.suggestion(name, available, kind: "cluster"))
    case .userNotFound(let name, let context, let place, let available):
      ErrorMessage(
        "\(place): the context '\(context)' names the user '\(name)', who does not exist",
        remedy: Self.suggestion(name, available, kind: "user"))
    case .legacyAuthProvider(let name, let user, let place):
      ErrorMessage(
        "\(place): the user '\(user)' has the auth-provider '\(name)', which is not supported",
        why: "Kubernetes replaced auth-providers by credential plugins (exec)",
        remedy: Self.replacement(of: name))
    }
  }

  private static func replacement(of provider: String) -> String {
    switch provider {
    case "azure": "run 'kubelogin convert-kubeconfig', or 'az aks get-credentials' again"
    case "gcp": "install gke-gcloud-auth-plugin and run 'gcloud container clusters get-credentials' again"
    default: "use the credential plugin (exec) of your cluster's provider"
    }
  }

  private static func suggestion(_ name: String, _ available: [String], kind: String) -> String {
    let list = list(kind, available)
    return nearest(to: name, in: available).map { "did you mean '\($0)'? \(list)" } ?? list
  }

  private static func list(_ kind: String, _ names: [String]) -> String {
    names.isEmpty ? "There are no \(kind)s." : "The \(kind)s are: \(names.joined(separator: ", "))"
  }
}
