package import DevrunCore
package import DevrunKube

/// Notices that somebody else (a controller that follows a repository, a colleague) put a redirected Deployment back, or
/// changed it, while the command runs.
package struct RevertWatch: Sendable {
  /// The Deployment's namespace.
  var namespace: Namespace
  /// The Deployment's name.
  var name: String
  /// The session that redirected it.
  var session: String
  /// Who gets the news.
  var reporter: any Reporter

  /// A watch of a Deployment that a session redirected.
  package init(of name: String, in namespace: Namespace, session: String, reporter: any Reporter) {
    self.namespace = namespace
    self.name = name
    self.session = session
    self.reporter = reporter
  }

  /// Watches until the task is cancelled or the Deployment is redirected no more.
  ///
  /// - Throws: `KubeError`
  package func run() async throws {
    for try await event in namespace.client.watch(object: namespace.deployments.named(name)) {
      switch event {
      case .snapshot(let deployments):
        guard let deployment = deployments.first else { return reportDeletion() }
        if reportRevert(deployment) { return }
      case .added(let deployment), .modified(let deployment):
        if reportRevert(deployment) { return }
      case .deleted:
        return reportDeletion()
      }
    }
  }

  private func reportRevert(_ deployment: KubeObject) -> Bool {
    guard deployment.template.session != session else { return false }
    let who = Self.lastManager(of: deployment).map { "by \($0)" }
    reporter.report(
      .warning(
        ErrorMessage(
          "deployment/\(name) is not redirected any more: it was changed \(who ?? "by somebody else")",
          remedy: "pause what changes it (Argo CD, Flux, another apply) and start again")))
    return true
  }

  private func reportDeletion() {
    reporter.report(.warning(ErrorMessage("deployment/\(name) was deleted while it was redirected")))
  }

  /// Who wrote the template last, by `managedFields` (`fieldsV1` in the API's words).
  static func lastManager(of deployment: KubeObject) -> String? {
    (deployment.managedFields?.array ?? [])
      .filter {
        $0[path: "fieldsV1", "f:spec", "f:template"] != nil && $0["manager"]?.string != KubeClient.fieldManager
      }
      .max { ($0["time"]?.string ?? "") < ($1["time"]?.string ?? "") }?["manager"]?.string
  }
}
