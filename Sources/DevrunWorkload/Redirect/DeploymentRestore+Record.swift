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
    /// Only what the Deployment owns by its uid counts. A ReplicaSet counts if it is the session's: a record that the
    /// controller copied onto another one is a trace, not a record.
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
      for map in configMaps where map.isOwned(by: deployment) { look(at: map) }
      for set in replicaSets.sorted(by: { DeploymentRestore.age($0) > DeploymentRestore.age($1) })
      where set.template.session != nil && set.isOwned(by: deployment) {
        look(at: set) { $0.session == set.template.session }
      }
      return (readable, unreadable)
    }
  }

  /// The records of a Deployment, wherever they are: the best one of each session, the Deployment's own first.
  ///
  /// - Throws: `WorkloadError.recordUnreadable` if there are none but such; `KubeError`
  func records(on deployment: KubeObject) async throws -> [OriginalRecord] {
    async let replicaSets = namespace.replicaSets(of: deployment)
    async let configMaps = namespace.client.list(namespace.configMaps, labelSelector: Self.recordLabel).items
    let places = Places(deployment: deployment, replicaSets: try await replicaSets, configMaps: try await configMaps)
    let (readable, unreadable) = places.records
    if readable.isEmpty, let error = unreadable.first { throw error }
    return readable
  }

  /// Puts the record where it stays until nothing is left to do.
  ///
  /// - Returns: whether it is there. A quota or a policy may refuse it.
  func keep(_ record: OriginalRecord, of deployment: KubeObject) async throws -> Bool {
    if try await create(record, of: deployment) { return true }
    // A quota that had room for the agent's ConfigMaps may have none for another one. The agent needs them no more.
    try await PayloadUpload(in: namespace, session: record.session).delete(record.configMaps)
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
        return true  // An interrupted restore has done it.
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
