import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Controllers that may revert a redirection")
struct GitOpsTests {
  private static func managed(by manager: String, _ labels: [String: String] = [:]) -> KubeObject {
    var object: KubeObject = ["metadata": ["managedFields": [["manager": .string(manager)]]]]
    object.labels = labels
    return object
  }

  @Test(
    arguments: [
      (
        ["metadata": ["annotations": ["argocd.argoproj.io/tracking-id": "shop:apps/Deployment:ns/web"]]],
        "app set shop "
      ),
      (["metadata": ["labels": ["argocd.argoproj.io/instance": "shop"]]], "app set shop "),
      (managed(by: "argocd-controller", ["app.kubernetes.io/instance": "shop"]), "app set shop "),
      (managed(by: "argocd-application-controller"), "app set APPLICATION "),
      (["metadata": ["labels": ["kustomize.toolkit.fluxcd.io/name": "k"]]], "suspend kustomization k"),
      (["metadata": ["labels": ["helm.toolkit.fluxcd.io/name": "h"]]], "suspend helmrelease h"),
      (managed(by: "kustomize-controller"), "suspend kustomization NAME"),
      (managed(by: "helm-controller"), "suspend helmrelease NAME"),
      (
        ["metadata": ["ownerReferences": [["kind": "Kafka", "name": "k", "uid": "1", "controller": true]]]],
        "pause the operator"
      ),
      // Helm's own charts have this label, too.
      (managed(by: "kubectl", ["app.kubernetes.io/instance": "shop"]), nil),
      (managed(by: "helm"), nil),
      (["metadata": ["ownerReferences": [["kind": "Namespace", "name": "k", "uid": "1"]]]], nil),
    ] as [(KubeObject, String?)])
  func `What manages a workload is recognised, and how to pause it is printed`(object: KubeObject, remedy: String?) {
    let warnings = GitOps.warnings(for: object)
    #expect(warnings.count == (remedy == nil ? 0 : 1))
    if let remedy { #expect(warnings.first?.remedy?.contains(remedy) == true) }
  }
}
