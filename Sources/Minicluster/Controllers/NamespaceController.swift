// Namespaces: what each of them has from its beginning, and how it ends.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Gives each namespace the ServiceAccount `default` and the ConfigMap with the cluster's certificate authority, and
/// empties those that are deleted.
struct NamespaceController: Controller {
  static let authorityMap = "kube-root-ca.crt"

  let store: ObjectStore
  /// The certificate of the cluster's certificate authority, as PEM.
  let certificateAuthority: String
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "namespace-controller") }

  init(store: ObjectStore, certificateAuthority: String) {
    self.store = store
    self.certificateAuthority = certificateAuthority
  }

  var kinds: [ObjectKind] { ObjectKind.all.filter { $0.isNamespaced && $0 != .event } + [.namespace] }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    if kind == .namespace { return [ControlledName(kind, object)] }
    // What is removed may be the last thing in a namespace that ends, or what each namespace must have.
    guard let namespace = object.namespace, isGone || object.name == Self.authorityMap else { return [] }
    return [ControlledName(.namespace, in: nil, named: namespace)]
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    guard let namespace = name.object(in: store) else { return nil }
    if namespace.isTerminating {
      try empty(namespace)
    } else {
      try writer.perform(
        Self.defaults(
          of: namespace.name, certificateAuthority: certificateAuthority,
          account: store.object(.serviceAccount, in: namespace.name, named: "default"),
          authority: store.object(.configMap, in: namespace.name, named: Self.authorityMap)))
    }
    return nil
  }

  /// What gives a namespace what it must have.
  static func defaults(
    of namespace: String, certificateAuthority: String, account: KubeObject?, authority: KubeObject?
  ) -> [ControllerAction] {
    var actions: [ControllerAction] = []
    if account == nil {
      actions.append(
        .create(
          .serviceAccount,
          [
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": ["name": "default", "namespace": .string(namespace)],
          ]))
    }
    let data: JSONValue = ["ca.crt": .string(certificateAuthority)]
    if var authority {
      if authority.json["data"] != data {
        authority.json["data"] = data
        actions.append(.update(.configMap, authority, .main))
      }
    } else {
      actions.append(
        .create(
          .configMap,
          [
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": [
              "name": .string(authorityMap), "namespace": .string(namespace),
              "annotations": [
                "kubernetes.io/description":
                  "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints."
              ],
            ],
            "data": data,
          ]))
    }
    return actions
  }

  /// Deletes what a namespace holds, and lets the namespace go once nothing is left.
  private func empty(_ namespace: KubeObject) throws(APIFailure) {
    var isEmpty = true
    for kind in ObjectKind.all where kind.isNamespaced {
      for object in store.list(kind, in: namespace.name).objects {
        if !object.isTerminating { try writer.delete(kind, object) }
        if store.object(kind, in: namespace.name, named: object.name) != nil { isEmpty = false }
      }
    }
    guard isEmpty else { return }
    var freed = namespace
    freed.spec["finalizers"] = nil
    try writer.update(.namespace, freed)
  }
}
