internal import DevrunCore
internal import DevrunKube

/// Notices that somebody else (a controller that follows a repository, a colleague) put a redirected Deployment back, or
/// changed it, while the command runs.
struct RevertWatch: Sendable {
  /// The API.
  var client: KubeClient
  /// The Deployment's namespace.
  var namespace: String
  /// The Deployment's name.
  var name: String
  /// The session that redirected it.
  var session: String
  /// Who is told.
  var observer: any SessionObserver

  /// Watches until the task is cancelled or there is nothing more to say.
  ///
  /// - Throws: `KubeError`
  func run() async throws {
    for try await event in client.watch(object: .deployments(in: namespace).named(name)) {
      switch event {
      case .snapshot(let deployments):
        guard let deployment = deployments.first else { return tellDeleted() }
        if tellReverted(deployment) { return }
      case .added(let deployment), .modified(let deployment):
        if tellReverted(deployment) { return }
      case .deleted:
        return tellDeleted()
      }
    }
  }

  private func tellReverted(_ deployment: JSONValue) -> Bool {
    guard DeploymentRestore.session(of: deployment["spec"]?["template"]) != session else { return false }
    let who = Self.lastManager(of: deployment).map { "by \($0)" }
    observer.tell(
      .warning(
        ErrorMessage(
          "deployment/\(name) is not redirected any more: it was changed \(who ?? "by somebody else")",
          remedy: "pause what changes it (Argo CD, Flux, another apply) and start again")))
    return true
  }

  private func tellDeleted() {
    observer.tell(.warning(ErrorMessage("deployment/\(name) was deleted while it was redirected")))
  }

  /// Who wrote the template last, as `managedFields` tell (`fieldsV1` in the API's words).
  static func lastManager(of deployment: JSONValue) -> String? {
    (deployment["metadata"]?["managedFields"]?.array ?? [])
      .filter {
        $0["fieldsV1"]?["f:spec"]?["f:template"] != nil && $0["manager"]?.string != KubeClient.fieldManager
      }
      .max { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }?["manager"]?.string
  }
}
