internal import DevrunCore
package import DevrunKube

extension DeploymentRestore {
  /// A Deployment that a session changed.
  package struct Redirected: Sendable, Hashable {
    /// The Deployment's name.
    package var name: String
    /// The session's name.
    package var session: String
    /// Who holds the session, as `user@machine`.
    package var holder: String
    /// When it was changed (RFC 3339).
    package var since: String
    /// The container that the agent replaced.
    package var container: String
  }

  /// The Deployments of a namespace that a session changed, and the records that cannot be read: one of these hides
  /// nothing but its own Deployment.
  ///
  /// - Throws: `KubeError`
  package static func redirected(
    in namespace: Namespace
  ) async throws -> (found: [Redirected], unreadable: [WorkloadError]) {
    let client = namespace.client
    async let replicaSets = client.list(namespace.replicaSets).items
    async let configMaps = client.list(namespace.configMaps, labelSelector: recordLabel, metadataOnly: true).items
    let deployments = try await client.list(namespace.deployments).items
    return redirected(deployments, try await replicaSets, try await configMaps)
  }

  /// The sessions that changed this Deployment; `nil` if there is no such Deployment. Reads the Deployment by its name, so
  /// that a right on this one object suffices.
  ///
  /// - Throws: `KubeError`, `WorkloadError.recordUnreadable`
  package func redirected() async throws -> [Redirected]? {
    guard let deployment = try await namespace.find(path) else { return nil }
    return try await records(on: deployment).map { Redirected($0, of: deployment) }
  }

  /// The same of what the cluster has.
  static func redirected(
    _ deployments: [KubeObject], _ replicaSets: [KubeObject], _ configMaps: [KubeObject]
  ) -> (found: [Redirected], unreadable: [WorkloadError]) {
    var found: [Redirected] = []
    var unreadable: [WorkloadError] = []
    for deployment in deployments.sorted(by: { $0.name < $1.name }) {
      let places = Places(deployment: deployment, replicaSets: replicaSets, configMaps: configMaps)
      let (records, failures) = places.records
      found += records.map { Redirected($0, of: deployment) }
      unreadable += failures
    }
    return (found, unreadable)
  }
}

extension DeploymentRestore.Redirected {
  fileprivate init(_ record: OriginalRecord, of deployment: KubeObject) {
    self.init(
      name: deployment.name, session: record.session, holder: record.holder, since: record.since,
      container: record.container)
  }
}
