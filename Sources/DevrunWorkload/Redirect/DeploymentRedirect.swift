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

  /// A redirection of a Deployment in a namespace.
  package init(in namespace: Namespace, agent: AgentTemplate, holder: String, since: String) {
    self.namespace = namespace
    self.agent = agent
    self.holder = holder
    self.since = since
  }

  /// Swaps the container: the change and the record of what was there are one write, which the API server refuses if
  /// anything changed since the Deployment was read.
  ///
  /// - Returns: the Deployment as it is now.
  /// - Throws: `WorkloadError`, `KubeError`
  package func apply(to workload: Workload) async throws -> KubeObject {
    let path = namespace.deployments.named(workload.name)
    var deployment = workload.object
    for _ in 0..<Self.attempts {
      try Self.check(deployment)
      do {
        return try await namespace.client.patch(path, try await patch(of: deployment))
      } catch let error as KubeError where error.isConflict {
        deployment = try await namespace.client.get(path)
      }
    }
    throw WorkloadError.contended("deployment/\(workload.name)")
  }

  /// What can be known before the change.
  ///
  /// - Throws: `WorkloadError.alreadyRedirected`, `.scaledToZero`, `.paused`, `.recordUnreadable`
  package static func check(_ deployment: KubeObject) throws(WorkloadError) {
    let (name, namespace) = (deployment.name, deployment.namespace ?? "")
    if let record = try OriginalRecord.read(from: deployment) {
      throw .alreadyRedirected(name, by: record.holder, since: record.since, namespace: namespace)
    }
    let spec = deployment.spec
    if spec["replicas"]?.int == 0 { throw .scaledToZero(name, namespace: namespace) }
    if spec["paused"]?.bool == true { throw .paused(name, namespace: namespace) }
  }

  private func patch(of deployment: KubeObject) async throws -> [JSONPatchOperation] {
    let template = deployment.template
    let record = OriginalRecord(
      session: agent.session, holder: holder, since: since, container: agent.container, template: template,
      revisionHistoryLimit: deployment.spec["revisionHistoryLimit"],
      hadAnnotations: deployment.metadata["annotations"] != nil, managedFields: deployment.managedFields,
      replicaSet: try await currentReplicaSet(of: deployment),
      configMaps: [agent.payload.loader] + agent.payload.pieces)
    let value = JSONValue.string(try record.annotationValue())
    let annotate: JSONPatchOperation =
      record.hadAnnotations
      ? .add(["metadata", "annotations", OriginalRecord.annotation], value)
      : .add(["metadata", "annotations"], .object([OriginalRecord.annotation: value]))
    return [
      .ifUnchanged(since: deployment),
      annotate,
      .add(["spec", "revisionHistoryLimit"], .int(Self.raisedHistoryLimit)),
      .replace(["spec", "template"], try agent.applied(to: template).json),
    ]
  }

  /// The ReplicaSet of the Deployment's present revision.
  private func currentReplicaSet(of deployment: KubeObject) async throws -> OriginalRecord.ReplicaSetRecord? {
    let revision = deployment.annotations[Self.revision]
    let owned = try await namespace.replicaSets(of: deployment)
    guard let current = owned.first(where: { $0.annotations[Self.revision] == revision }) else { return nil }
    return OriginalRecord.ReplicaSetRecord(
      name: current.name, annotations: current.metadata["annotations"], managedFields: current.managedFields)
  }
}

extension Namespace {
  /// The ReplicaSets that a Deployment owns.
  ///
  /// - Throws: `KubeError`
  func replicaSets(of deployment: KubeObject) async throws -> [KubeObject] {
    try await client.list(replicaSets, labelSelector: deployment.labelSelector).items.filter {
      $0.isOwned(by: deployment)
    }
  }
}
