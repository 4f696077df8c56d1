internal import DevrunCore
package import DevrunKube

/// How many of an app's pods are available.
package struct Availability: Sendable, Hashable {
  /// The pods that are available.
  let available: Int
  /// The pods that are asked for.
  let wanted: Int

  init(available: Int, wanted: Int) {
    self.available = available
    self.wanted = wanted
  }

  /// By a Deployment's status: agents' pods count too.
  package init(of deployment: KubeObject) {
    self.init(
      available: deployment.status["availableReplicas"]?.int ?? 0, wanted: deployment.spec["replicas"]?.int ?? 1)
  }

  /// The app's own pods, by the status of the ReplicaSets that no session made: the Deployment's own status may still count
  /// the agents' pods.
  ///
  /// - Returns: `nil` if there is no such Deployment.
  /// - Throws: `KubeError`
  package static func ofApp(in namespace: Namespace, deployment name: String) async throws -> Availability? {
    guard let deployment = try await namespace.find(namespace.deployments.named(name)) else { return nil }
    let sets = try await namespace.replicaSets(of: deployment).filter { $0.template.session == nil }
    return Availability(
      available: sets.reduce(0) { $0 + ($1.status["availableReplicas"]?.int ?? 0) },
      wanted: Availability(of: deployment).wanted)
  }

  /// Whether nothing is missing.
  var isWhole: Bool { available >= wanted }

  /// The line about a Deployment that was restored. Nothing waits for the app's pods, so that the line has the number of
  /// those that are missing, if none was missing before.
  ///
  /// - Parameters:
  ///   - what: the Deployment, as `kind/name`.
  ///   - before: the app before it was redirected.
  ///   - after: the app after the restore; `nil` if it is gone.
  package static func wordsAfterRestore(of what: String, before: Availability, after: Availability?) -> String {
    guard before.isWhole, let after, !after.isWhole else { return "\(what) is restored" }
    return "\(what) is restored; \(after.available) of \(after.wanted) pods available so far"
  }
}
