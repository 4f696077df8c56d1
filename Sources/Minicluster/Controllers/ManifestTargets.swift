// The two places that a manifest's objects can go to.

internal import DevrunCore
package import DevrunKube

/// The store of this process.
package struct StoreTarget: ManifestTarget {
  /// Who the fields belong to.
  private static let manager = "minicluster"

  private let store: ObjectStore

  /// The target of a store.
  package init(_ store: ObjectStore) { self.store = store }

  package func put(_ entry: Manifest.Entry) async throws -> String {
    let (kind, object) = (entry.kind, entry.object)
    guard let present = store.object(kind, in: object.namespace, named: object.name) else {
      try store.create(object, of: kind, by: Self.manager)
      return "created"
    }
    let updated = try store.update(kind, in: object.namespace, named: object.name, by: Self.manager) {
      $0 = Manifest.merge(object, onto: $0)
    }
    return updated.resourceVersion == present.resourceVersion ? "unchanged" : "configured"
  }

  package func follow(
    deployment name: String, in namespace: String, until isDone: @escaping @Sendable (KubeObject?) -> Bool
  ) async throws {
    while !Task.isCancelled {
      if store.object(.deployment, in: namespace, named: name) == nil, isDone(nil) { return }
      // The stream begins with what there is. It ends if this task falls behind; then there is another one.
      for await change in try store.watch(.deployment, in: namespace) {
        switch change {
        case .added(let object), .modified(let object):
          if object.name == name, isDone(object) { return }
        case .deleted(let object):
          if object.name == name, isDone(nil) { return }
        case .bookmark: break
        }
      }
    }
    throw CancellationError()
  }

  package func pods(in namespace: String) async throws -> [KubeObject] { store.list(.pod, in: namespace).objects }
}

/// The API of a cluster.
package struct ClientTarget: ManifestTarget {
  /// How often a change is tried that another one keeps coming before.
  private static let attempts = 5

  private let client: KubeClient

  /// The target of a cluster.
  package init(_ client: KubeClient) { self.client = client }

  package func put(_ entry: Manifest.Entry) async throws -> String {
    let collection = ResourcePath(
      group: entry.kind.group, version: entry.kind.version, resource: entry.kind.resource,
      namespace: entry.kind.isNamespaced ? entry.object.namespace : nil)
    do {
      try await client.create(entry.object, in: collection)
      return "created"
    } catch let error as KubeError where error.isAlreadyExists {
      return try await change(entry, at: collection.named(entry.object.name))
    }
  }

  private func change(_ entry: Manifest.Entry, at path: ResourcePath) async throws -> String {
    var attempt = 1
    while true {
      let present = try await client.get(path)
      let merged = Manifest.merge(entry.object, onto: present)
      guard merged != present else { return "unchanged" }
      var operations: [JSONPatchOperation] = [.ifUnchanged(since: present)]
      for (name, value) in merged.json.object ?? [:] where value != present.json[name] && name != "metadata" {
        operations.append(.add([name], value))
      }
      for name in ["labels", "annotations"] {
        guard let value = merged.metadata[name], value != present.metadata[name] else { continue }
        operations.append(.add(["metadata", name], value))
      }
      do {
        let updated = try await client.patch(path, operations)
        return updated.resourceVersion == present.resourceVersion ? "unchanged" : "configured"
      } catch let error as KubeError where error.isConflict && attempt < Self.attempts {
        attempt += 1
      }
    }
  }

  package func follow(
    deployment name: String, in namespace: String, until isDone: @escaping @Sendable (KubeObject?) -> Bool
  ) async throws {
    for try await event in client.watch(object: .deployments(in: namespace).named(name)) {
      switch event {
      case .snapshot(let objects): if isDone(objects.first) { return }
      case .added(let object), .modified(let object): if isDone(object) { return }
      case .deleted: if isDone(nil) { return }
      }
    }
  }

  package func pods(in namespace: String) async throws -> [KubeObject] {
    try await client.list(.pods(in: namespace)).items
  }
}
