internal import DevrunCore
internal import DevrunKube

/// Where the record of the original is: on the Deployment while it is redirected; on the agent's ReplicaSets, where the
/// controller copies it; and in a ConfigMap of its own from the beginning of a restore to its end. So whenever a restore
/// is interrupted, another finds it.
extension DeploymentRestore {
  /// The label of the ConfigMap with a record.
  static let recordLabel = "devrun.dev/record"

  /// The name of the ConfigMap with a session's record.
  static func recordName(_ session: String) -> String { "devrun-\(session)-record" }

  /// Whether a ConfigMap is where devrun stores the record of a session while it puts a Deployment back.
  static func holdsRecord(_ map: KubeObject, of session: String, for deployment: KubeObject) -> Bool {
    map.name == recordName(session) && map.labels[SessionMark.key] == session && map.labels[recordLabel] != nil
      && map.isOwned(by: deployment)
  }

  /// What can hold records of one Deployment.
  struct Places: Sendable {
    /// The Deployment.
    var deployment: KubeObject
    /// ReplicaSets of the namespace.
    var replicaSets: [KubeObject]
    /// ConfigMaps of the namespace that devrun labelled as records.
    var configMaps: [KubeObject]

    /// The best record of each session, the Deployment's own first; and why others cannot be read.
    ///
    /// Only what the Deployment owns by its uid counts. A ConfigMap and a ReplicaSet count if they are the session's: a
    /// record that the controller copied onto another ReplicaSet is a trace, not a record.
    var records: (readable: [OriginalRecord], unreadable: [WorkloadError]) {
      var readable: [OriginalRecord] = []
      var unreadable: [WorkloadError] = []
      func look(at object: KubeObject, _ isRecord: (OriginalRecord) -> Bool = { _ in true }) {
        do throws(WorkloadError) {
          guard let record = try OriginalRecord.read(from: object), isRecord(record),
            !readable.contains(where: { $0.session == record.session })
          else { return }
          readable.append(record)
        } catch {
          unreadable.append(error)
        }
      }
      look(at: deployment)
      for map in configMaps where map.isOwned(by: deployment) {
        look(at: map) { DeploymentRestore.holdsRecord(map, of: $0.session, for: deployment) }
      }
      for set in replicaSets.sorted(by: { DeploymentRestore.age($0) > DeploymentRestore.age($1) })
      where set.template.session != nil && set.isOwned(by: deployment) {
        look(at: set) { $0.session == set.template.session }
      }
      return (readable, unreadable)
    }

    /// Whether more than a record shows that a session changed the Deployment: its agent is in the template or in a
    /// ReplicaSet, or a restore has stored the record in its ConfigMap.
    func show(changesBy session: String) -> Bool {
      deployment.template.session == session
        || replicaSets.contains { $0.template.session == session && $0.isOwned(by: deployment) }
        || configMaps.contains { DeploymentRestore.holdsRecord($0, of: session, for: deployment) }
    }
  }

  /// The records of a Deployment, wherever they are: the best one of each session, the Deployment's own first.
  ///
  /// - Throws: `WorkloadError.recordUnreadable` if there are none but such; `KubeError`
  func records(on deployment: KubeObject) async throws -> [OriginalRecord] {
    let (readable, unreadable) = try await places(of: deployment).records
    if readable.isEmpty, let error = unreadable.first { throw error }
    return readable
  }

  /// The records of sessions that changed the Deployment for certain. A record alone is no proof: whoever may annotate the
  /// Deployment can write one.
  ///
  /// - Throws: `KubeError`
  func provenRecords(on deployment: KubeObject) async throws -> [OriginalRecord] {
    let places = try await places(of: deployment)
    return places.records.readable.filter { places.show(changesBy: $0.session) }
  }

  private func places(of deployment: KubeObject) async throws -> Places {
    async let replicaSets = namespace.replicaSets(of: deployment)
    async let configMaps = namespace.client.list(
      namespace.configMaps, labelSelector: Self.recordLabel, metadataOnly: true
    ).items
    return Places(deployment: deployment, replicaSets: try await replicaSets, configMaps: try await configMaps)
  }

  /// Puts the record where it stays until nothing is left to do.
  ///
  /// - Returns: whether it is there. A quota or a policy may refuse it.
  func keep(_ record: OriginalRecord, of deployment: KubeObject) async throws -> Bool {
    if try await create(record, of: deployment) { return true }
    // A quota that had room for the agent's ConfigMaps may have none for another one. The agent needs them no more.
    try await deleteConfigMaps(record.configMaps, of: record.session)
    return try await create(record, of: deployment)
  }

  private func create(_ record: OriginalRecord, of deployment: KubeObject) async throws -> Bool {
    let metadata: JSONValue = [
      "name": .string(Self.recordName(record.session)), "namespace": .string(namespace.name),
      "labels": [SessionMark.key: .string(record.session), Self.recordLabel: "original"],
      "annotations": [OriginalRecord.annotation: .string(try record.annotationValue())],
      "ownerReferences": .array([deployment.ownerReference].compactMap { $0 }),
    ]
    for _ in 0..<DeploymentRedirect.attempts {
      do {
        try await namespace.client.create(
          ["apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata], in: namespace.configMaps)
        return true
      } catch let error as KubeError where error.status?.reason == "AlreadyExists" {
        // An interrupted restore has done it, unless somebody else's ConfigMap has the name.
        let present = try await namespace.find(namespace.configMaps.named(Self.recordName(record.session)))
        return present.map { Self.holdsRecord($0, of: record.session, for: deployment) } ?? false
      } catch let error as KubeError where error.isConflict {
        continue  // The quota is counted by two requests at once.
      } catch let error as KubeError where error.isForbidden && !error.meansNamespaceEnds {
        return false
      }
    }
    throw WorkloadError.contended("the quota of namespace \(namespace.name)")
  }
}

extension KubeError {
  /// Nothing can be made any more, because the namespace is being deleted (`core/v1` NamespaceTerminatingCause).
  var meansNamespaceEnds: Bool {
    status?.causes.contains { $0.reason == "NamespaceTerminating" } ?? false
  }
}
