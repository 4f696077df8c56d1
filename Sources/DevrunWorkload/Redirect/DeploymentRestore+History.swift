internal import DevrunCore
internal import DevrunKube

/// The last steps of a restore: revisions, the history limit, the owners of fields.
extension DeploymentRestore {
  /// Removes what is left of the session when its ReplicaSet is gone.
  func forget(_ record: OriginalRecord, template: KubeObject) async throws {
    let isOriginal = template == record.template
    if isOriginal, let replicaSet = record.replicaSet { try await resetRevision(of: replicaSet) }
    try await lowerHistoryLimit(record)
    if isOriginal, let replicaSet = record.replicaSet {
      try await resetOwners(namespace.replicaSets.named(replicaSet.name), replicaSet.managedFields)
    }
    try await resetOwners(path, record.managedFields)
  }

  /// The controller took the original ReplicaSet for a new revision; its own number is put back. The Deployment's
  /// follows, which is awaited: until then the controller may still be at work with what it knew before.
  private func resetRevision(of recorded: OriginalRecord.ReplicaSetRecord) async throws {
    let path = namespace.replicaSets.named(recorded.name)
    guard let original = recorded.annotations?[DeploymentRedirect.revision]?.string,
      let current = try await namespace.find(path)
    else { return }
    var operations: [JSONPatchOperation] = []
    for annotation in [DeploymentRedirect.revision, "deployment.kubernetes.io/revision-history"] {
      let pointer: JSONPointer = ["metadata", "annotations", annotation]
      switch (recorded.annotations?[annotation]?.string, current.annotations[annotation]) {
      case (let wanted?, let present) where wanted != present: operations.append(.add(pointer, .string(wanted)))
      case (nil, .some): operations.append(.remove(pointer))
      default: break
      }
    }
    if !operations.isEmpty { try await namespace.client.patch(path, operations) }
    try await awaitRevision(original)
  }

  /// Waits until the Deployment counts the revision again.
  private func awaitRevision(_ revision: String) async throws {
    func hasIt(_ deployment: KubeObject) -> Bool { deployment.annotations[DeploymentRedirect.revision] == revision }
    for try await event in namespace.client.watch(object: path) {
      switch event {
      case .snapshot(let deployments): if deployments.isEmpty || deployments.contains(where: hasIt) { return }
      case .added(let deployment), .modified(let deployment): if hasIt(deployment) { return }
      case .deleted: return
      }
    }
  }

  /// Lowers the limit to what it was, unless somebody else set one meanwhile.
  private func lowerHistoryLimit(_ record: OriginalRecord) async throws {
    let pointer: JSONPointer = ["spec", "revisionHistoryLimit"]
    let raised = JSONValue.int(DeploymentRedirect.raisedHistoryLimit)
    guard let current = try await namespace.find(path), current.spec["revisionHistoryLimit"] == raised else { return }
    let lower = record.revisionHistoryLimit.map { JSONPatchOperation.replace(pointer, $0) } ?? .remove(pointer)
    try await namespace.client.patch(path, [.test(pointer, raised), lower])
  }

  /// Puts the owners of an object's fields back.
  private func resetOwners(_ path: ResourcePath, _ recorded: JSONValue?) async throws {
    for _ in 0..<DeploymentRedirect.attempts {
      guard let current = try await namespace.find(path) else { return }
      let restored = ManagedFields.restored(recorded: recorded, current: current.managedFields)
      guard restored != current.managedFields else { return }
      do {
        try await namespace.client.patch(
          path, [.ifUnchanged(since: current), .add(["metadata", "managedFields"], restored)])
        return
      } catch let error as KubeError where error.isConflict {
        continue  // The controller wrote meanwhile: look again.
      }
    }
    throw WorkloadError.contended(path.name ?? path.resource)
  }
}
