internal import DevrunCore
package import DevrunKube

/// Makes a redirected Deployment what it was: to `kubectl get`, to `kubectl rollout history` and to the next
/// `kubectl apply`, client-side and server-side.
///
/// The order matters.
/// 1. The record is stored in a ConfigMap, which goes last of all: whenever a restore is interrupted, another can be done.
/// 2. The template and the removal of the record are one patch: in two, the controller would copy the record onto the
///    original ReplicaSet.
/// 3. The agent's ReplicaSets are deleted as soon as the controller has seen the patch: before that, it would make them
///    anew. The app's pods take their place at once.
/// 4. Then the app's ReplicaSet can have its own revision again, which the controller raised.
/// 5. Only then the history limit is lowered, so that no revision falls out. The owners of the fields come after it,
///    because each patch makes devrun one.
/// 6. The ConfigMaps go, the record's last.
///
/// Nothing waits for the app. What others changed meanwhile stays theirs. Every step can be done again: an interrupted
/// restore is taken up where it stopped. A Deployment or a namespace that is gone or on its way out needs no restore.
package struct DeploymentRestore: Sendable {
  /// How long the Deployment's controller has for each step of its own. It takes some hundredths of a second.
  static let controllerPatience: Duration = .seconds(5)

  /// The Deployment's namespace.
  var namespace: Namespace
  /// The Deployment's name.
  var name: String

  /// The restore of a Deployment.
  package init(of name: String, in namespace: Namespace) {
    self.namespace = namespace
    self.name = name
  }

  var path: ResourcePath { namespace.deployments.named(name) }

  /// Puts the original back and removes every trace.
  ///
  /// - Parameters:
  ///   - session: restore only what this session changed; `nil` for whatever session's.
  ///   - urgency: once waits are skipped, the controller is not waited for.
  /// - Returns: whether there was something to restore.
  /// - Throws: `KubeError`, `WorkloadError`
  @discardableResult
  package func run(
    session: String? = nil, urgency: RestoreUrgency = RestoreUrgency()
  ) async throws -> Bool {
    guard let deployment = try await namespace.find(path), !deployment.isTerminating else { return false }
    let records = try await records(on: deployment).filter { session == nil || $0.session == session }
    guard !records.isEmpty else { return false }
    do {
      for record in records { try await restore(record, on: deployment, urgency: urgency) }
    } catch let error as KubeError where error.meansNamespaceEnds {
      return true
    } catch let error as KubeError where error.isNotFound {
      // The only thing that all steps need is the Deployment itself.
      if let present = try await namespace.find(path), present.uid == deployment.uid { throw error }
    }
    return true
  }

  private func restore(_ record: OriginalRecord, on deployment: KubeObject, urgency: RestoreUrgency) async throws {
    var record = record
    record.managedFields = ManagedFields.withoutDevrun(
      recorded: record.managedFields, current: deployment.managedFields)
    let isKept = try await keep(record, of: deployment)
    guard let restored = try await putBack(record, deployment, keepingRecord: !isKept) else { return }
    try await awaitController(of: restored, urgency) {
      $0.status["observedGeneration"]?.int ?? 0 >= restored.generation
    }
    try await deleteAgents(of: record.session, restored)
    if restored.template.session != nil {
      let other = try OriginalRecord.read(from: restored)
      throw DeploymentRedirect.alreadyRedirected(restored, by: other, RestoreCommandLine(namespace: namespace.name))
    }
    try await settleRevision(record, restored, urgency)
    try await lowerHistoryLimit(record, restored)
    if !isKept { try await dropRecord(record.session, restored) }
    try await removeCopies(of: record.session, restored)
    if let present = try await present(restored) {
      let isMapNew = record.template.metadata["annotations"] == nil && !present.template.annotations.isEmpty
      try await namespace.putOwnersBack(path, record.managedFields, on: present) {
        isMapNew ? ManagedFields.owningTemplateAnnotations($0) : $0
      }
    }
    try await deleteConfigMaps(of: record)
  }

  /// The Deployment as it is now. `nil` if it was deleted, also if another one has its name now.
  func present(_ deployment: KubeObject) async throws -> KubeObject? {
    guard let present = try await namespace.find(path), present.uid == deployment.uid else { return nil }
    return present
  }

  /// The one patch that takes devrun's change of the template back and removes the record.
  ///
  /// - Returns: the Deployment as it is then; `nil` if it was deleted.
  private func putBack(
    _ record: OriginalRecord, _ deployment: KubeObject, keepingRecord: Bool
  ) async throws -> KubeObject? {
    var deployment = deployment
    for _ in 0..<DeploymentRedirect.attempts {
      let current = deployment.template
      let removesRecord = !keepingRecord && Self.holdsRecord(of: record.session, deployment)
      let isRedirected = current.session == record.session
      if !removesRecord, !isRedirected { return deployment }
      var operations: [JSONPatchOperation] = [.ifUnchanged(since: deployment)]
      if removesRecord { operations.append(.remove(["metadata", "annotations", OriginalRecord.annotation])) }
      if isRedirected {
        // The Deployment's own record is the newest: the watch may have renewed it since the restore began.
        let newest = try removesRecord ? OriginalRecord.read(from: deployment) ?? record : record
        operations.append(.replace(["spec", "template"], try await restoredTemplate(newest, of: deployment)))
      }
      do {
        return try await namespace.client.patch(path, operations)
      } catch let error as KubeError where error.isConflict {
        guard let present = try await present(deployment) else { return nil }
        deployment = present
      }
    }
    throw WorkloadError.contended("deployment/\(name)")
  }

  private func restoredTemplate(_ record: OriginalRecord, of deployment: KubeObject) async throws -> JSONValue {
    let current = deployment.template
    var ours = record.applied
    if ours == nil {
      let sets = try await namespace.replicaSets(of: deployment).filter { $0.template.session == record.session }
      ours = Self.first(of: sets)?.template.withoutHash
    }
    let template = ThreeWayMerge.undo(
      original: record.template.json, changed: (ours ?? current).json, current: current.json)
    return template ?? record.template.json
  }

  /// Whether the record of a session is on an object.
  static func holdsRecord(of session: String, _ object: KubeObject) -> Bool {
    do throws(WorkloadError) {
      return try OriginalRecord.read(from: object)?.session == session
    } catch {
      return false  // Nobody can tell whose it is: it stays.
    }
  }

  /// The ReplicaSet that devrun's own patch made. Every later change of the template (`kubectl set image`, `rollout
  /// restart`) makes another one that carries the session's annotation too, with somebody else's change in it.
  static func first(of agentSets: [KubeObject]) -> KubeObject? { agentSets.min { age($0) < age($1) } }

  /// What ReplicaSets are ordered by. Times are RFC 3339 in UTC and have whole seconds.
  static func age(_ set: KubeObject) -> (String, Int) {
    (set.creationTimestamp, set.annotations[DeploymentRedirect.revision].flatMap { Int($0) } ?? .max)
  }
}
