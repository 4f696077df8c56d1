package import DevrunCore
package import DevrunKube

/// Controllers that put a workload back to what a repository says, in the middle of a session.
package enum GitOps {
  /// The warnings about a workload that one of them manages.
  package static func warnings(for object: KubeObject) -> [ErrorMessage] {
    let (labels, annotations) = (object.labels, object.annotations)
    var warnings: [ErrorMessage] = []
    if let application = annotations["argocd.argoproj.io/tracking-id"]?.split(separator: ":").first.map(String.init)
      ?? labels["argocd.argoproj.io/instance"]
    {
      warnings.append(
        ErrorMessage(
          "Argo CD manages this workload and may revert the redirection",
          remedy: "pause it with: argocd app set \(application) --sync-policy none"))
    }
    if let name = labels["kustomize.toolkit.fluxcd.io/name"] {
      warnings.append(
        ErrorMessage(
          "Flux manages this workload and may revert the redirection",
          remedy: "pause it with: flux suspend kustomization \(name)"))
    }
    if let name = labels["helm.toolkit.fluxcd.io/name"] {
      warnings.append(
        ErrorMessage(
          "Flux manages this workload and may revert the redirection",
          remedy: "pause it with: flux suspend helmrelease \(name)"))
    }
    return warnings
  }
}
