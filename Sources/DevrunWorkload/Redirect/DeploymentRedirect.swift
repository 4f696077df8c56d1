internal import DevrunCore
package import DevrunKube

/// Puts the agent in the place of a Deployment's container, by one patch of its pod template.
package struct DeploymentRedirect: Sendable {
  /// `spec.revisionHistoryLimit` while the agent is in: the agent's own ReplicaSet must push no revision out that the
  /// team could roll back to.
  static let raisedHistoryLimit: Int64 = 0x7fff_ffff

  /// How often a write is tried that others' writes come in between of: a controller at work writes several a second.
  static let attempts = 20

  /// The annotation that the Deployment controller counts revisions in.
  static let revision = "deployment.kubernetes.io/revision"

  /// The Deployment's namespace.
  var namespace: Namespace
  /// What goes into the template.
  var agent: AgentTemplate
  /// Who holds the session, for the record.
  var holder: String
  /// When it begins, for the record (RFC 3339).
  var since: String
  /// How users restore a workload of this namespace.
  var restoreCommand: RestoreCommandLine

  /// A redirection of a Deployment in a namespace.
  ///
  /// - Parameters:
  ///   - namespace: the Deployment's namespace.
  ///   - agent: what goes into the template.
  ///   - holder: who holds the session, as `user@machine`.
  ///   - since: when it begins (RFC 3339).
  ///   - restoreCommand: how users restore a workload of this namespace, for messages.
  package init(
    in namespace: Namespace, agent: AgentTemplate, holder: String, since: String,
    restoreCommand: RestoreCommandLine? = nil
  ) {
    self.namespace = namespace
    self.agent = agent
    self.holder = holder
    self.since = since
    self.restoreCommand = restoreCommand ?? RestoreCommandLine(namespace: namespace.name)
  }

  /// Swaps the container: the change and the record of what was there are one write, which the API server refuses if
  /// anything changed since the Deployment was read. The owners of its fields are put back by a second one.
  ///
  /// - Returns: the Deployment as the change left it.
  /// - Throws: `WorkloadError`, `KubeError`
  package func apply(to workload: Workload) async throws -> KubeObject {
    let path = namespace.deployments.named(workload.name)
    var deployment = workload.object
    for _ in 0..<Self.attempts {
      try Self.check(deployment, restoreCommand: restoreCommand)
      let records = try await DeploymentRestore(of: workload.name, in: namespace).records(on: deployment)
      if let other = records.first(where: { $0.session != agent.session }) {
        throw Self.alreadyRedirected(deployment, by: other, restoreCommand)
      }
      let record = try await record(of: deployment)
      let changed: KubeObject
      do {
        changed = try await namespace.client.patch(path, try patch(of: deployment, record))
      } catch let error as KubeError where error.isConflict {
        deployment = try await namespace.client.get(path)
        continue
      }
      try await namespace.complete(record, changed)
      return changed
    }
    throw WorkloadError.contended("deployment/\(workload.name)")
  }

  /// What can be found out before the change, from the Deployment alone.
  ///
  /// - Throws: `WorkloadError.alreadyRedirected`, `.scaledToZero`, `.paused`, `.recordUnreadable`
  package static func check(
    _ deployment: KubeObject, restoreCommand: RestoreCommandLine? = nil
  ) throws(WorkloadError) {
    let (name, namespace) = (deployment.name, deployment.namespace ?? "")
    let record = try OriginalRecord.read(from: deployment)
    if deployment.template.session != nil {
      throw alreadyRedirected(deployment, by: record, restoreCommand ?? RestoreCommandLine(namespace: namespace))
    }
    let spec = deployment.spec
    if spec["replicas"]?.int == 0 { throw .scaledToZero(name, namespace: namespace) }
    if spec["paused"]?.bool == true { throw .paused(name, namespace: namespace) }
  }

  static func alreadyRedirected(
    _ deployment: KubeObject, by record: OriginalRecord?, _ restoreCommand: RestoreCommandLine
  ) -> WorkloadError {
    .alreadyRedirected(
      deployment.name, by: record?.holder ?? "session \(deployment.template.session ?? "")",
      since: record?.since ?? "an unknown time", restore: restoreCommand)
  }

  private func record(of deployment: KubeObject) async throws -> OriginalRecord {
    let template = deployment.template
    return OriginalRecord(
      session: agent.session, holder: holder, since: since, container: agent.container, template: template,
      applied: try agent.applied(to: template), revisionHistoryLimit: deployment.spec["revisionHistoryLimit"],
      hadAnnotations: deployment.metadata["annotations"] != nil,
      managedFields: ManagedFields.withoutDevrun(recorded: nil, current: deployment.managedFields),
      replicaSet: Self.replicaSet(of: template, among: try await namespace.replicaSets(of: deployment)),
      configMaps: [agent.payload.loader] + agent.payload.pieces)
  }

  private func patch(of deployment: KubeObject, _ record: OriginalRecord) throws -> [JSONPatchOperation] {
    let value = JSONValue.string(try record.annotationValue())
    let annotate: JSONPatchOperation =
      record.hadAnnotations
      ? .add(["metadata", "annotations", OriginalRecord.annotation], value)
      : .add(["metadata", "annotations"], .object([OriginalRecord.annotation: value]))
    return [
      .ifUnchanged(since: deployment),
      annotate,
      .add(["spec", "revisionHistoryLimit"], .int(Self.raisedHistoryLimit)),
      .replace(["spec", "template"], record.applied?.json ?? [:]),
    ]
  }

  /// The ReplicaSet of a template. `nil` if there is none: the controller has not made one yet, and will not.
  static func replicaSet(of template: KubeObject, among sets: [KubeObject]) -> OriginalRecord.ReplicaSetRecord? {
    guard let current = sets.first(where: { $0.template.isSameTemplate(as: template) }) else { return nil }
    return OriginalRecord.ReplicaSetRecord(
      name: current.name, annotations: current.metadata["annotations"], managedFields: current.managedFields)
  }
}

extension Namespace {
  /// Completes a write of the agent's template: records what is stored, where an admission plugin made something else of
  /// what was sent, and puts the owners of fields back.
  ///
  /// - Parameters:
  ///   - record: the record that went with the write.
  ///   - changed: the Deployment as the write left it.
  /// - Throws: `KubeError`, `WorkloadError`
  func complete(_ record: OriginalRecord, _ changed: KubeObject) async throws {
    let path = deployments.named(changed.name)
    var latest = changed
    if let applied = record.applied, !applied.isSameTemplate(as: changed.template) {
      var stored = record
      stored.applied = changed.template
      let value = JSONValue.string(try stored.annotationValue())
      do {
        latest = try await client.patch(
          path,
          [.ifUnchanged(since: changed), .add(["metadata", "annotations", OriginalRecord.annotation], value)])
      } catch let error as KubeError where error.isConflict {
        // Somebody changed it since. What was sent is a base for the merge, too.
        latest = try await client.get(path)
      }
    }
    try await putOwnersBack(path, record.managedFields, on: latest)
  }

  /// The ReplicaSets that a Deployment owns.
  ///
  /// - Throws: `KubeError`
  func replicaSets(of deployment: KubeObject) async throws -> [KubeObject] {
    try await client.list(replicaSets, labelSelector: deployment.labelSelector).items.filter {
      $0.isOwned(by: deployment)
    }
  }
}
