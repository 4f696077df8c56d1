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
    async let configMaps = client.list(namespace.configMaps, labelSelector: recordLabel).items
    let deployments = try await client.list(namespace.deployments).items
    return redirected(deployments, try await replicaSets, try await configMaps)
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
      found += records.map {
        Redirected(
          name: deployment.name, session: $0.session, holder: $0.holder, since: $0.since, container: $0.container)
      }
      unreadable += failures
    }
    return (found, unreadable)
  }
}
