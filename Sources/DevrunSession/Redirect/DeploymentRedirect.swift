internal import DevrunCore
internal import DevrunKube

/// Puts the agent in the place of a Deployment's container, by one patch of its pod template.
struct DeploymentRedirect: Sendable {
  /// `spec.revisionHistoryLimit` while the agent is in: the agent's own ReplicaSet must push no revision out that the
  /// team could roll back to.
  static let raisedHistoryLimit: Int64 = 0x7fff_ffff

  /// How often a write is tried that others' writes come in between of: a controller at work writes several a second.
  static let attempts = 20

  /// The API.
  var client: KubeClient
  /// What goes into the template.
  var agent: AgentTemplate
  /// Who holds the session, for the record.
  var holder: String
  /// When it begins, for the record (RFC 3339).
  var since: String

  /// Swaps the container: the change and the record of what was there are one write, which the API server refuses if
  /// anything changed since the Deployment was read.
  ///
  /// - Returns: the Deployment as it is now.
  /// - Throws: `SessionError`, `KubeError`
  func apply(to workload: Workload) async throws -> JSONValue {
    var deployment = workload.object
    for _ in 0..<Self.attempts {
      try Self.check(deployment, workload)
      do {
        return try await client.patch(
          .deployments(in: workload.namespace).named(workload.name), try await patch(of: deployment, workload))
      } catch let error as KubeError where error.isConflict {
        deployment = try await client.get(.deployments(in: workload.namespace).named(workload.name))
      }
    }
    throw SessionError.contended("deployment/\(workload.name)")
  }

  /// What can be known before the change.
  ///
  /// - Throws: `SessionError.alreadyRedirected`, `.scaledToZero`, `.paused`, `.recordUnreadable`
  static func check(_ deployment: JSONValue, _ workload: Workload) throws {
    if let record = try OriginalRecord.read(from: deployment) {
      throw SessionError.alreadyRedirected(
        workload.name, by: record.holder, since: record.since, namespace: workload.namespace)
    }
    let spec = deployment["spec"] ?? [:]
    if spec["replicas"]?.int == 0 { throw SessionError.scaledToZero(workload.name, namespace: workload.namespace) }
    if spec["paused"]?.bool == true { throw SessionError.paused(workload.name, namespace: workload.namespace) }
  }

  private func patch(of deployment: JSONValue, _ workload: Workload) async throws -> [JSONPatchOperation] {
    let template = deployment["spec"]?["template"] ?? [:]
    let record = OriginalRecord(
      session: agent.session, holder: holder, since: since, container: agent.container, template: template,
      revisionHistoryLimit: deployment["spec"]?["revisionHistoryLimit"],
      hadAnnotations: deployment["metadata"]?["annotations"] != nil,
      managedFields: deployment["metadata"]?["managedFields"],
      replicaSet: try await currentReplicaSet(of: deployment, workload),
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
      .replace(["spec", "template"], try agent.applied(to: template)),
    ]
  }

  /// The ReplicaSet of the Deployment's present revision.
  private func currentReplicaSet(of deployment: JSONValue, _ workload: Workload) async throws
    -> OriginalRecord.ReplicaSetRecord?
  {
    let revision = deployment[path: "metadata", "annotations", Self.revision]?.string
    let owned = try await client.list(.replicaSets(in: workload.namespace), labelSelector: workload.labelSelector).items
      .filter {
        Self.isOwned($0, by: deployment)
      }
    guard let current = owned.first(where: { $0[path: "metadata", "annotations", Self.revision]?.string == revision })
    else { return nil }
    return OriginalRecord.ReplicaSetRecord(
      name: TargetResolution.name(of: current), annotations: current["metadata"]?["annotations"],
      managedFields: current["metadata"]?["managedFields"])
  }

  /// The annotation that the Deployment controller counts revisions in.
  static let revision = "deployment.kubernetes.io/revision"

  /// Whether an object's owners include the given one.
  static func isOwned(_ object: JSONValue, by owner: JSONValue) -> Bool {
    let uid = owner["metadata"]?["uid"]
    return (object["metadata"]?["ownerReferences"]?.array ?? []).contains { $0["uid"] == uid }
  }
}

extension JSONPatchOperation {
  /// Makes the API server refuse a patch with a conflict if the object is not what was read any more
  /// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions). A `test` of the content is no
  /// such guard: older API servers compare its strings as they were encoded.
  static func ifUnchanged(since object: JSONValue) -> JSONPatchOperation {
    .replace(["metadata", "resourceVersion"], object["metadata"]?["resourceVersion"] ?? .null)
  }
}
