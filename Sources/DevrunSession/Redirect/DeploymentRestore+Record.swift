internal import DevrunCore
internal import DevrunKube

/// Where the record of the original is: on the Deployment while it is redirected; on the agent's ReplicaSet, where the
/// controller copies it; and in a ConfigMap of its own while the last traces are removed. So whenever a restore is
/// interrupted, another finds it.
extension DeploymentRestore {
  /// The label of the ConfigMap with a record.
  private static let recordLabel = "devrun.dev/record"

  /// The name of the ConfigMap with a session's record.
  static func recordName(_ session: String) -> String { "devrun-\(session)-record" }

  /// The Deployments of a namespace that a session changed, with their records.
  ///
  /// - Throws: `KubeError`, `SessionError.recordUnreadable`
  static func redirected(in namespace: String, client: KubeClient) async throws -> [(
    name: String, record: OriginalRecord
  )] {
    var found: [String: OriginalRecord] = [:]
    for deployment in try await client.list(.deployments(in: namespace)).items {
      found[TargetResolution.name(of: deployment)] = try OriginalRecord.read(from: deployment)
    }
    for replicaSet in try await client.list(.replicaSets(in: namespace)).items {
      guard let owner = TargetResolution.controller(of: replicaSet), found[owner.name] == nil else { continue }
      found[owner.name] = try OriginalRecord.read(from: replicaSet)
    }
    for map in try await client.list(.configMaps(in: namespace), labelSelector: recordLabel).items {
      guard let owner = owner(of: map), found[owner] == nil else { continue }
      found[owner] = try OriginalRecord.read(from: map)
    }
    return found.map { ($0.key, $0.value) }.sorted { $0.name < $1.name }
  }

  /// The record, wherever it is.
  func record(on deployment: JSONValue, _ replicaSets: [JSONValue]) async throws -> OriginalRecord? {
    if let record = try OriginalRecord.read(from: deployment) { return record }
    for replicaSet in replicaSets {
      guard let record = try OriginalRecord.read(from: replicaSet) else { continue }
      if Self.session(of: replicaSet["spec"]?["template"]) == record.session { return record }
    }
    for map in try await client.list(.configMaps(in: namespace), labelSelector: Self.recordLabel).items
    where Self.owner(of: map) == name {
      if let record = try OriginalRecord.read(from: map) { return record }
    }
    return nil
  }

  /// Puts the record where it stays until nothing is left to do.
  func keep(_ record: OriginalRecord, of deployment: JSONValue) async throws {
    let metadata: JSONValue = [
      "name": .string(Self.recordName(record.session)), "namespace": .string(namespace),
      "labels": [PayloadUpload.label: .string(record.session), Self.recordLabel: "original"],
      "annotations": [OriginalRecord.annotation: .string(try record.annotationValue())],
      "ownerReferences": [
        [
          "apiVersion": "apps/v1", "kind": "Deployment", "name": .string(name),
          "uid": deployment["metadata"]?["uid"] ?? "",
        ]
      ],
    ]
    do {
      try await client.create(
        ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata], in: .configMaps(in: namespace))
    } catch let error as KubeError where error.isConflict {
      return  // An interrupted restore has done it.
    }
  }

  /// The Deployment that a ConfigMap with a record belongs to.
  private static func owner(of map: JSONValue) -> String? {
    map[path: "metadata", "ownerReferences"]?.array?.first { $0["kind"]?.string == "Deployment" }?["name"]?.string
  }
}
