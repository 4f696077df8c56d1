internal import DevrunCore
package import DevrunKube

extension ObjectStore {
  /// Makes an object. The store sets its name (by `generateName`), uid, versions, times and managed fields.
  ///
  /// - Parameter isDryRun: whether the object is only checked and returned, and not stored.
  @discardableResult
  package func create(
    _ object: KubeObject, of kind: ObjectKind, by manager: String, isDryRun: Bool = false
  ) throws(APIFailure) -> KubeObject {
    guard object.resourceVersion.map(\.isEmpty) ?? true else {
      throw .internalError("resourceVersion should not be set on objects to be created")
    }
    var made = object
    made.json["apiVersion"] = .string(kind.apiVersion)
    made.json["kind"] = .string(kind.kind)
    let namespace = kind.isNamespaced ? object.namespace ?? "default" : nil
    made.metadata["namespace"] = namespace.map(JSONValue.string)
    if let namespace { try requireNamespace(namespace, for: kind, name: object.name) }
    for name in ["selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "generation", "managedFields"] {
      made.metadata[name] = nil
    }
    made.metadata["uid"] = .string(ObjectNames.uid())
    made.metadata["creationTimestamp"] = .string(now())
    if kind.hasGeneration { made.metadata["generation"] = 1 }
    ObjectDefaults.prepareNew(&made, kind)
    ObjectDefaults.apply(to: &made, kind)
    try admit(&made, kind, self)
    ObjectDefaults.apply(to: &made, kind)

    made.metadata["managedFields"] = FieldOwners.managedFields(
      from: ObjectDefaults.skeleton(of: made, kind), to: made, of: kind, by: manager, part: .main, at: now())

    let prefix = object.metadata["generateName"]?.string ?? ""
    let isGenerated = object.name.isEmpty && !prefix.isEmpty
    // Names are drawn again only a few times: the server does the same, and then reports a conflict.
    for attempt in 1... {
      if isGenerated { made.metadata["name"] = .string(ObjectNames.name(prefix: prefix)) }
      try ObjectValidation.check(made, kind)
      let key = ObjectKey(kind, namespace, made.name)
      if isDryRun, self.object(kind, in: namespace, named: made.name) == nil { return made }
      if !isDryRun, let stored = commit(kind, key, replacing: nil, by: made) { return stored }
      guard isGenerated, attempt < 8 else { break }
    }
    throw .alreadyExists(kind, made.name)
  }

  /// Namespaces that belong to the cluster itself. They are taken to exist, and cannot be deleted.
  static let systemNamespaces: Set<String> = ["default", "kube-system", "kube-public"]

  private func requireNamespace(_ namespace: String, for kind: ObjectKind, name: String) throws(APIFailure) {
    guard let found = object(.namespace, in: nil, named: namespace) else {
      if Self.systemNamespaces.contains(namespace) { return }
      throw .notFound(.namespace, namespace)
    }
    guard found.isTerminating else { return }
    throw .forbidden(
      kind, name, "unable to create new content in namespace \(namespace) because it is being terminated",
      causes: [
        APIStatus.Cause(
          reason: "NamespaceTerminating", message: "namespace \(namespace) is being terminated",
          field: "metadata.namespace")
      ])
  }
}
