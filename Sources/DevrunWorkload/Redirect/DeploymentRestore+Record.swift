internal import DevrunCore
package import DevrunKube

/// Where the record of the original is: on the Deployment while it is redirected; on the agent's ReplicaSet, where the
/// controller copies it; and in a ConfigMap of its own while the last traces are removed. So whenever a restore is
/// interrupted, another finds it.
extension DeploymentRestore {
  /// The label of the ConfigMap with a record.
  private static let recordLabel = "devrun.dev/record"

  /// The name of the ConfigMap with a session's record.
  static func recordName(_ session: String) -> String { "devrun-\(session)-record" }

  /// A Deployment that a session changed.
  package struct Redirected: Sendable, Hashable {
    /// The Deployment's name.
    package var name: String
    /// Who holds the session, as `user@machine`.
    package var holder: String
    /// When it was changed (RFC 3339).
    package var since: String
  }

  /// The Deployments of a namespace that a session changed.
  ///
  /// - Throws: `KubeError`, `WorkloadError.recordUnreadable`
  package static func redirected(in namespace: Namespace) async throws -> [Redirected] {
    let client = namespace.client
    var found: [String: OriginalRecord] = [:]
    for deployment in try await client.list(namespace.deployments).items {
      found[deployment.name] = try OriginalRecord.read(from: deployment)
    }
    for replicaSet in try await client.list(namespace.replicaSets).items {
      guard let owner = replicaSet.controller, found[owner.name] == nil else { continue }
      found[owner.name] = try OriginalRecord.read(from: replicaSet)
    }
    for map in try await client.list(namespace.configMaps, labelSelector: recordLabel).items {
      guard let owner = owner(of: map), found[owner] == nil else { continue }
      found[owner] = try OriginalRecord.read(from: map)
    }
    return found.map { Redirected(name: $0.key, holder: $0.value.holder, since: $0.value.since) }
      .sorted { $0.name < $1.name }
  }

  /// The record, wherever it is.
  func record(on deployment: KubeObject, _ replicaSets: [KubeObject]) async throws -> OriginalRecord? {
    if let record = try OriginalRecord.read(from: deployment) { return record }
    for replicaSet in replicaSets {
      guard let record = try OriginalRecord.read(from: replicaSet) else { continue }
      if replicaSet.template.session == record.session { return record }
    }
    for map in try await namespace.client.list(namespace.configMaps, labelSelector: Self.recordLabel).items
    where Self.owner(of: map) == name {
      if let record = try OriginalRecord.read(from: map) { return record }
    }
    return nil
  }

  /// Puts the record where it stays until nothing is left to do.
  func keep(_ record: OriginalRecord, of deployment: KubeObject) async throws {
    let metadata: JSONValue = [
      "name": .string(Self.recordName(record.session)), "namespace": .string(namespace.name),
      "labels": [SessionMark.key: .string(record.session), Self.recordLabel: "original"],
      "annotations": [OriginalRecord.annotation: .string(try record.annotationValue())],
      "ownerReferences": .array([deployment.ownerReference].compactMap { $0 }),
    ]
    do {
      try await namespace.client.create(
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata], in: namespace.configMaps)
    } catch let error as KubeError where error.isConflict {
      return  // An interrupted restore has done it.
    }
  }

  /// The Deployment that a ConfigMap with a record belongs to.
  private static func owner(of map: KubeObject) -> String? { map.owners.first { $0.kind == "Deployment" }?.name }
}
