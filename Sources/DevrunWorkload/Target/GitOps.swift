package import DevrunCore
package import DevrunKube

/// Controllers that put a workload back to what a repository, or another object, says, in the middle of a session.
package enum GitOps {
  /// Field managers of Argo CD (https://argo-cd.readthedocs.io: the server-side apply's name and the binary's).
  private static let argo: Set<String> = ["argocd-controller", "argocd-application-controller"]
  /// Field managers of Flux.
  private static let flux: Set<String> = ["kustomize-controller", "helm-controller"]

  /// The warnings about a workload that one of them manages.
  package static func warnings(for object: KubeObject) -> [ErrorMessage] {
    let managers = Set((object.managedFields?.array ?? []).compactMap { $0["manager"]?.string })
    return [
      argoWarning(for: object, managers), fluxWarning(for: object, managers), operatorWarning(for: object),
    ]
    .compactMap { $0 }
  }

  /// Whether Argo CD may delete a pod that carries the label by which it recognises what belongs to this workload's
  /// application. Where it marks objects by an annotation, it does not look at the label.
  static func prunesByLabel(_ object: KubeObject) -> Bool {
    if object.annotations["argocd.argoproj.io/tracking-id"] != nil { return false }
    let managers = Set((object.managedFields?.array ?? []).compactMap { $0["manager"]?.string })
    return object.labels["argocd.argoproj.io/instance"] != nil || !managers.isDisjoint(with: argo)
  }

  private static func argoWarning(for object: KubeObject, _ managers: Set<String>) -> ErrorMessage? {
    let labels = object.labels
    let isManager = !managers.isDisjoint(with: argo)
    let named =
      object.annotations["argocd.argoproj.io/tracking-id"]?.split(separator: ":").first.map(String.init)
      ?? labels["argocd.argoproj.io/instance"]
    // By default, Argo CD before 3.0 marks what it manages with a label that others use as well.
    guard let application = named ?? (isManager ? labels["app.kubernetes.io/instance"] ?? "APPLICATION" : nil) else {
      return nil
    }
    return ErrorMessage(
      "Argo CD manages this workload and may revert the redirection",
      remedy: "pause it with: argocd app set \(application) --sync-policy none")
  }

  private static func fluxWarning(for object: KubeObject, _ managers: Set<String>) -> ErrorMessage? {
    let labels = object.labels
    let command: String
    if let name = labels["kustomize.toolkit.fluxcd.io/name"] {
      command = "flux suspend kustomization \(name)"
    } else if let name = labels["helm.toolkit.fluxcd.io/name"] {
      command = "flux suspend helmrelease \(name)"
    } else if managers.contains("kustomize-controller") {
      command = "flux suspend kustomization NAME"
    } else if !managers.isDisjoint(with: flux) {
      command = "flux suspend helmrelease NAME"
    } else {
      return nil
    }
    return ErrorMessage(
      "Flux manages this workload and may revert the redirection", remedy: "pause it with: \(command)")
  }

  private static func operatorWarning(for object: KubeObject) -> ErrorMessage? {
    guard let owner = object.controller else { return nil }
    return ErrorMessage(
      "\(owner.kind)/\(owner.name) owns this workload, and its operator may revert the redirection",
      remedy: "pause the operator for it, if it can be paused")
  }
}
