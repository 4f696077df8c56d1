package import DevrunCore
package import DevrunKube

/// Makes a redirected Deployment what it was: to `kubectl get`, to `kubectl rollout history` and to the next
/// `kubectl apply`, client-side and server-side.
///
/// The order matters.
/// 1. The template and the removal of the record are one patch: in two, the controller would copy the record onto the
///    original ReplicaSet.
/// 2. The agent's ReplicaSet, which carries a copy of the record until then, goes once its pods are gone. Before that the
///    record is stored in a ConfigMap, which goes last of all.
/// 3. Then the original ReplicaSet's revision can be its own again, which the controller raised.
/// 4. Only then the history limit is lowered, so that no revision falls out.
/// 5. The owners of the fields come last, because each patch makes devrun one.
///
/// What others changed meanwhile stays theirs. Every step can be done again: an interrupted restore is taken up where
/// it stopped.
package struct DeploymentRestore: Sendable {
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

  /// Puts the original back, waits until the app's pods are the only ones, and removes every trace.
  ///
  /// - Parameters:
  ///   - session: restore only what this session changed; `nil` for whatever session's.
  ///   - urgency: once waits are skipped, the app's pods are not waited for, and the agent's have no time to end.
  /// - Returns: whether there was something to restore.
  /// - Throws: `KubeError`, `WorkloadError`
  @discardableResult
  package func run(
    session: String? = nil, urgency: RestoreUrgency = RestoreUrgency(), reporter: any Reporter
  ) async throws -> Bool {
    guard let deployment = try await namespace.find(path) else { return false }
    let replicaSets = try await namespace.replicaSets(of: deployment)
    guard let record = try await record(on: deployment, replicaSets), session == nil || record.session == session else {
      return false
    }
    let agentSets = replicaSets.filter { $0.template.session == record.session }
    reporter.report(.step("restoring deployment/\(name)"))
    let restored = try await putBack(record, deployment, agentSet: Self.first(of: agentSets))
    let pods = EndingPods(namespace: namespace, labelSelector: deployment.labelSelector) {
      $0.session == record.session
    }
    let isPatient = try await urgency.unlessSkipped {
      try await Rollout(of: name, in: namespace).awaitCompletion(generation: restored.generation)
      try await pods.awaitGone()
    }
    try await keep(record, of: deployment)
    for agentSet in agentSets {
      try await namespace.delete(namespace.replicaSets.named(agentSet.name), uid: agentSet.uid)
    }
    if !isPatient { try await pods.removeAtOnce() }
    try await forget(record, template: restored.template)
    try await PayloadUpload(in: namespace, session: record.session)
      .delete(record.configMaps + [Self.recordName(record.session)])
    return true
  }

  /// The one patch that makes the template the original's and removes the record.
  private func putBack(
    _ record: OriginalRecord, _ deployment: KubeObject, agentSet: KubeObject?
  ) async throws -> KubeObject {
    var deployment = deployment
    for _ in 0..<DeploymentRedirect.attempts {
      let current = deployment.template
      let hasRecord = deployment.annotations[OriginalRecord.annotation] != nil
      let isRedirected = current.session == record.session
      if !hasRecord, !isRedirected { return deployment }
      var operations: [JSONPatchOperation] = [.ifUnchanged(since: deployment)]
      if hasRecord { operations.append(.remove(["metadata", "annotations", OriginalRecord.annotation])) }
      if isRedirected {
        // What was stored of our change, with all defaults, is the template of the ReplicaSet that our patch made.
        let ours = agentSet.map { Self.withoutHash($0.template) } ?? current
        let template = ThreeWayMerge.undo(
          original: record.template.json, changed: ours.json, current: current.json)
        operations.append(.replace(["spec", "template"], template ?? record.template.json))
      }
      do {
        return try await namespace.client.patch(path, operations)
      } catch let error as KubeError where error.isConflict {
        deployment = try await namespace.client.get(path)
      }
    }
    throw WorkloadError.contended("deployment/\(name)")
  }

  /// The ReplicaSet that devrun's own patch made. Every later change of the template (`kubectl set image`, `rollout
  /// restart`) makes another one that carries the session's annotation too, with somebody else's change in it.
  static func first(of agentSets: [KubeObject]) -> KubeObject? {
    func revision(_ set: KubeObject) -> Int { set.annotations[DeploymentRedirect.revision].flatMap { Int($0) } ?? .max }
    // Times are RFC 3339 in UTC and have whole seconds.
    func age(_ set: KubeObject) -> (String, Int) { (set.creationTimestamp, revision(set)) }
    return agentSets.min { age($0) < age($1) }
  }

  /// A ReplicaSet's template as the Deployment has it.
  static func withoutHash(_ template: KubeObject) -> KubeObject {
    var template = template
    guard template.labels["pod-template-hash"] != nil else { return template }
    template.labels["pod-template-hash"] = nil
    return template
  }
}
