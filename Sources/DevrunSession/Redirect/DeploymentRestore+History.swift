internal import DevrunCore
internal import DevrunKube

/// The last steps of a restore: revisions, the history limit, the owners of fields.
extension DeploymentRestore {
  /// Removes what is left of the session when its ReplicaSet is gone.
  func forget(_ record: OriginalRecord, template: JSONValue?) async throws {
    let isOriginal = template == record.template
    if isOriginal, let replicaSet = record.replicaSet { try await resetRevision(of: replicaSet) }
    try await lowerHistoryLimit(record)
    if isOriginal, let replicaSet = record.replicaSet {
      try await resetOwners(.replicaSets(in: namespace).named(replicaSet.name), replicaSet.managedFields)
    }
    try await resetOwners(.deployments(in: namespace).named(name), record.managedFields)
  }

  /// The controller took the original ReplicaSet for a new revision; its own number is put back. The Deployment's
  /// follows, which is awaited: until then the controller may still be at work with what it knew before.
  private func resetRevision(of recorded: OriginalRecord.ReplicaSetRecord) async throws {
    let path = ResourcePath.replicaSets(in: namespace).named(recorded.name)
    guard let original = recorded.annotations?[DeploymentRedirect.revision]?.string,
      let current = try await read(path)
    else { return }
    var operations: [JSONPatchOperation] = []
    for annotation in [DeploymentRedirect.revision, "deployment.kubernetes.io/revision-history"] {
      let pointer: JSONPointer = ["metadata", "annotations", annotation]
      switch (recorded.annotations?[annotation], current[path: "metadata", "annotations", annotation]) {
      case (let wanted?, let present) where wanted != present: operations.append(.add(pointer, wanted))
      case (nil, .some): operations.append(.remove(pointer))
      default: break
      }
    }
    if !operations.isEmpty { try await client.patch(path, operations) }
    try await awaitRevision(original)
  }

  /// Waits until the Deployment counts the revision again.
  private func awaitRevision(_ revision: String) async throws {
    for try await event in client.watch(object: .deployments(in: namespace).named(name)) {
      switch event {
      case .snapshot(let deployments):
        if deployments.isEmpty { return }
        if deployments.contains(where: { Self.revision(of: $0) == revision }) { return }
      case .added(let deployment), .modified(let deployment):
        if Self.revision(of: deployment) == revision { return }
      case .deleted:
        return
      }
    }
  }

  private static func revision(of deployment: JSONValue) -> String? {
    deployment[path: "metadata", "annotations", DeploymentRedirect.revision]?.string
  }

  /// Lowers the limit to what it was, unless somebody else set one meanwhile.
  private func lowerHistoryLimit(_ record: OriginalRecord) async throws {
    let path = ResourcePath.deployments(in: namespace).named(name)
    let pointer: JSONPointer = ["spec", "revisionHistoryLimit"]
    let raised = JSONValue.int(DeploymentRedirect.raisedHistoryLimit)
    guard let current = try await read(path), current["spec"]?["revisionHistoryLimit"] == raised else { return }
    let lower = record.revisionHistoryLimit.map { JSONPatchOperation.replace(pointer, $0) } ?? .remove(pointer)
    try await client.patch(path, [.test(pointer, raised), lower])
  }

  /// Puts the owners of an object's fields back.
  private func resetOwners(_ path: ResourcePath, _ recorded: JSONValue?) async throws {
    for _ in 0..<DeploymentRedirect.attempts {
      guard let current = try await read(path) else { return }
      let present = current["metadata"]?["managedFields"]
      let restored = ManagedFields.restored(recorded: recorded, current: present)
      guard restored != present else { return }
      do {
        try await client.patch(
          path, [.ifUnchanged(since: current), .add(["metadata", "managedFields"], restored)])
        return
      } catch let error as KubeError where error.isConflict {
        continue  // The controller wrote meanwhile: look again.
      }
    }
    throw SessionError.contended(path.name ?? path.resource)
  }

  /// An object, `nil` where it is gone.
  private func read(_ path: ResourcePath) async throws -> JSONValue? {
    do {
      return try await client.get(path)
    } catch let error as KubeError where error.isNotFound {
      return nil
    }
  }
}
