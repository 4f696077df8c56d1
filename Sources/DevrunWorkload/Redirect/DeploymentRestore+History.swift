internal import DevrunCore
internal import DevrunKube

/// The steps of a restore after the template is back: ReplicaSets, revisions, the history limit, ConfigMaps.
extension DeploymentRestore {
  /// Waits for what the Deployment's controller does, for a bounded time: it may be stopped.
  func awaitController(
    of deployment: KubeObject, _ urgency: RestoreUrgency, _ isDone: @escaping @Sendable (KubeObject) -> Bool
  ) async throws {
    let (path, client, uid) = (path, namespace.client, deployment.uid)
    @Sendable func isOver(_ present: KubeObject?) -> Bool {
      guard let present, present.uid == uid else { return true }
      return isDone(present)
    }
    _ = try await urgency.unlessSkipped(within: Self.controllerPatience) {
      do {
        for try await event in client.watch(object: path) {
          switch event {
          case .snapshot(let deployments): if isOver(deployments.first) { return }
          case .added(let deployment), .modified(let deployment): if isOver(deployment) { return }
          case .deleted: return
          }
        }
      } catch let error as KubeError where error.isForbidden {
        return  // Without this right nothing is to be seen.
      }
    }
  }

  /// Deletes the ReplicaSets of a session, whoever's change made them, and their pods with them: the garbage collector
  /// does that in the background, which is the default of `apps/v1`.
  func deleteAgents(of session: String, _ deployment: KubeObject) async throws {
    let sets = try await namespace.replicaSets(of: deployment).filter { $0.template.session == session }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for set in sets {
        group.addTask {
          do {
            try await namespace.delete(namespace.replicaSets.named(set.name), uid: set.uid)
          } catch let error as KubeError where error.isConflict {
            return  // Another one has this name now, which is not the session's.
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// Gives the ReplicaSet of the present template the revision that it would have without devrun. The Deployment's follows,
  /// which is awaited: until then the controller may still be at work with what it knew before.
  func settleRevision(_ record: OriginalRecord, _ deployment: KubeObject, _ urgency: RestoreUrgency) async throws {
    let sets = try await namespace.replicaSets(of: deployment).filter { $0.template.session == nil }
    guard let current = sets.first(where: { $0.template.isSameTemplate(as: deployment.template) }) else { return }
    let recorded = record.replicaSet.flatMap { $0.name == current.name ? $0 : nil }
    let settled = Revision.settled(current, others: sets.filter { $0.name != current.name }, recorded: recorded)
    let path = namespace.replicaSets.named(current.name)
    // What the controller came to own meanwhile may be what is removed here.
    let owners = recorded?.managedFields ?? ManagedFields.withoutDevrun(recorded: nil, current: current.managedFields)
    do {
      if settled.operations.isEmpty {
        try await namespace.putOwnersBack(path, owners, on: current)
      } else {
        _ = try await namespace.patch(path, settled.operations, restoringOwners: owners)
      }
    } catch let error as KubeError where error.isNotFound || error.isForbidden {
      return  // The number is for people's eyes; without it nothing is lost.
    }
    try await awaitController(of: deployment, urgency) {
      $0.annotations[DeploymentRedirect.revision] == settled.revision
    }
  }

  /// Lowers the limit to what it was, unless somebody else set one meanwhile.
  func lowerHistoryLimit(_ record: OriginalRecord, _ deployment: KubeObject) async throws {
    let pointer: JSONPointer = ["spec", "revisionHistoryLimit"]
    let raised = JSONValue.int(DeploymentRedirect.raisedHistoryLimit)
    let lower = record.revisionHistoryLimit.map { JSONPatchOperation.replace(pointer, $0) } ?? .remove(pointer)
    try await patchUnlessChanged(deployment) { present in
      present.spec["revisionHistoryLimit"] == raised && record.revisionHistoryLimit != raised ? [lower] : []
    }
  }

  /// Removes the record from the Deployment, if no ConfigMap could take it.
  func dropRecord(_ session: String, _ deployment: KubeObject) async throws {
    try await patchUnlessChanged(deployment) { present in
      Self.holdsRecord(of: session, present) ? [.remove(["metadata", "annotations", OriginalRecord.annotation])] : []
    }
  }

  /// Removes the record from the team's ReplicaSets: while the Deployment had it and somebody put the template back by
  /// hand, the controller copied it there.
  func removeCopies(of session: String, _ deployment: KubeObject) async throws {
    for set in try await namespace.replicaSets(of: deployment)
    where set.template.session == nil && Self.holdsRecord(of: session, set) {
      do {
        _ = try await namespace.patch(
          namespace.replicaSets.named(set.name), [.remove(["metadata", "annotations", OriginalRecord.annotation])],
          restoringOwners: ManagedFields.withoutDevrun(recorded: nil, current: set.managedFields))
      } catch let error as KubeError where error.isNotFound || error.isForbidden {
        continue  // It is a trace that nothing reads.
      }
    }
  }

  /// Deletes the ConfigMaps that the session made, the record's last. While a pod of the session's own is there, it may
  /// need the agent's, which then go with it.
  func deleteConfigMaps(of record: OriginalRecord) async throws {
    if try await !hasOwnPod(record.session) { try await deleteConfigMaps(record.configMaps, of: record.session) }
    try await deleteConfigMaps([Self.recordName(record.session)], of: record.session)
  }

  /// Deletes ConfigMaps by their names, if they are the session's own by name and label. A record is no proof of that:
  /// somebody else may have written it.
  func deleteConfigMaps(_ names: [String], of session: String) async throws {
    let own = Set(names.filter { SessionMark.isConfigMap($0, of: session) })
    guard !own.isEmpty else { return }
    let present = try await namespace.client.list(
      namespace.configMaps, labelSelector: "\(SessionMark.key)=\(session)", metadataOnly: true
    ).items
    try await withThrowingTaskGroup(of: Void.self) { group in
      for map in present where own.contains(map.name) {
        group.addTask {
          do {
            try await namespace.delete(namespace.configMaps.named(map.name), uid: map.uid)
          } catch let error as KubeError where error.isConflict {
            return  // Another one has this name now, which is not the session's.
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func hasOwnPod(_ session: String) async throws -> Bool {
    do {
      return try await namespace.client.list(namespace.pods, labelSelector: "\(SessionMark.key)=\(session)").items
        .contains { !$0.isTerminating }
    } catch let error as KubeError where error.isForbidden {
      return false
    }
  }

  /// Patches the Deployment as long as it asks for it, unless it was deleted.
  private func patchUnlessChanged(
    _ deployment: KubeObject, _ operations: (KubeObject) -> [JSONPatchOperation]
  ) async throws {
    for _ in 0..<DeploymentRedirect.attempts {
      guard let present = try await present(deployment) else { return }
      let wanted = operations(present)
      guard !wanted.isEmpty else { return }
      do {
        try await namespace.client.patch(path, [.ifUnchanged(since: present)] + wanted)
        return
      } catch let error as KubeError where error.isConflict {
        continue  // The controller wrote meanwhile: look again.
      }
    }
    throw WorkloadError.contended("deployment/\(name)")
  }
}
