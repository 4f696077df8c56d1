internal import DevrunCore
internal import DevrunKube

/// Makes a redirected Deployment what it was: to `kubectl get`, to `kubectl rollout history` and to the next
/// `kubectl apply`, client-side and server-side.
///
/// The order matters. The template and the removal of the record are one patch: in two, the controller would copy the
/// record onto the original ReplicaSet. The agent's ReplicaSet, which carries a copy of the record until then, goes once
/// its pods are gone; before that the record is kept in a ConfigMap, which goes last of all. Then the original ReplicaSet's revision can be its own again, which the controller raised. Only
/// then the history limit is lowered, so that no revision falls out. The owners of the fields come last, because each
/// patch makes devrun one.
///
/// What others changed meanwhile stays theirs. Every step can be done again: an interrupted restore is taken up where
/// it stopped.
struct DeploymentRestore: Sendable {
  /// The API.
  var client: KubeClient
  /// The Deployment's namespace.
  var namespace: String
  /// The Deployment's name.
  var name: String

  private var path: ResourcePath { .deployments(in: namespace).named(name) }

  /// Puts the original back, waits until the app's pods are the only ones, and removes every trace.
  ///
  /// - Parameters:
  ///   - session: restore only what this session changed; `nil` for whatever session's.
  ///   - haste: where it is wanted, the app's pods are not waited for, and the agent's have no time to end.
  /// - Returns: whether there was something to restore.
  /// - Throws: `KubeError`, `SessionError`
  @discardableResult
  func run(session: String? = nil, haste: Haste = Haste(), observer: any SessionObserver) async throws -> Bool {
    let deployment: JSONValue
    do {
      deployment = try await client.get(path)
    } catch let error as KubeError where error.isNotFound {
      return false
    }
    let replicaSets = try await ownedReplicaSets(of: deployment)
    guard let record = try await record(on: deployment, replicaSets), session == nil || record.session == session else {
      return false
    }
    let agentSets = replicaSets.filter { Self.session(of: $0["spec"]?["template"]) == record.session }
    observer.tell(.step("restoring deployment/\(name)"))
    let restored = try await putBack(record, deployment, agentSet: agentSets.first)
    let pods = EndingPods(
      client: client, namespace: namespace,
      labelSelector: LabelSelector.text(of: deployment["spec"]?["selector"] ?? [:])
    ) { Self.session(of: $0) == record.session }
    let isPatient = try await haste.unlessWanted {
      try await Rollout(client: client, namespace: namespace, name: name).awaitCompletion(
        generation: restored["metadata"]?["generation"]?.int ?? 0)
      try await pods.awaitGone()
    }
    try await keep(record, of: deployment)
    for agentSet in agentSets { try await remove(agentSet) }
    if !isPatient { try await pods.removeAtOnce() }
    try await forget(record, template: restored["spec"]?["template"])
    try await PayloadUpload(client: client, namespace: namespace, session: record.session)
      .delete(record.configMaps + [Self.recordName(record.session)])
    return true
  }

  /// The one patch that makes the template the original's and removes the record.
  private func putBack(_ record: OriginalRecord, _ deployment: JSONValue, agentSet: JSONValue?) async throws
    -> JSONValue
  {
    var deployment = deployment
    for _ in 0..<DeploymentRedirect.attempts {
      let current = deployment["spec"]?["template"] ?? [:]
      let text = deployment[path: "metadata", "annotations", OriginalRecord.annotation]
      let isRedirected = Self.session(of: current) == record.session
      if text == nil, !isRedirected { return deployment }
      var operations: [JSONPatchOperation] = [.ifUnchanged(since: deployment)]
      if text != nil { operations.append(.remove(["metadata", "annotations", OriginalRecord.annotation])) }
      if isRedirected {
        // What was stored of our change, with all defaults, is the template of the agent's ReplicaSet.
        let ours = agentSet.map { Self.withoutHash($0["spec"]?["template"] ?? [:]) } ?? current
        let template = ThreeWayMerge.undo(original: record.template, changed: ours, current: current)
        operations.append(.replace(["spec", "template"], template ?? record.template))
      }
      do {
        return try await client.patch(path, operations)
      } catch let error as KubeError where error.isConflict {
        deployment = try await client.get(path)
      }
    }
    throw SessionError.contended("deployment/\(name)")
  }

  private func remove(_ object: JSONValue) async throws {
    do {
      try await client.delete(
        .replicaSets(in: namespace).named(TargetResolution.name(of: object)), uid: object["metadata"]?["uid"]?.string)
    } catch let error as KubeError where error.isNotFound {
      return  // The controller was faster.
    }
  }

  private func ownedReplicaSets(of deployment: JSONValue) async throws -> [JSONValue] {
    let selector = LabelSelector.text(of: deployment["spec"]?["selector"] ?? [:])
    return try await client.list(.replicaSets(in: namespace), labelSelector: selector).items.filter {
      DeploymentRedirect.isOwned($0, by: deployment)
    }
  }

  /// The session that a pod or a pod template belongs to.
  static func session(of object: JSONValue?) -> String? {
    object?[path: "metadata", "annotations", AgentTemplate.sessionAnnotation]?.string
  }

  /// A ReplicaSet's template as the Deployment has it.
  static func withoutHash(_ template: JSONValue) -> JSONValue {
    var template = template
    guard var metadata = template["metadata"], var labels = metadata["labels"] else { return template }
    labels["pod-template-hash"] = nil
    metadata["labels"] = labels
    template["metadata"] = metadata
    return template
  }
}
