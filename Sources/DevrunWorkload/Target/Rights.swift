internal import DevrunCore
package import DevrunKube

/// What the user may do, asked before anything is changed (SelfSubjectAccessReview, `authorization.k8s.io/v1`). A user who
/// may change a workload but not restore it is stopped here.
package struct Rights: Sendable {
  /// A verb on a resource.
  struct Right: Sendable, Hashable, CustomStringConvertible {
    var verb: String
    var path: ResourcePath

    var description: String {
      [verb, [path.resource, path.subresource].compactMap { $0 }.joined(separator: "/")].joined(separator: " ")
    }
  }

  /// The session's namespace.
  var namespace: Namespace

  /// The rights in a namespace.
  package init(in namespace: Namespace) { self.namespace = namespace }

  /// Makes sure that a workload can be redirected and put back.
  ///
  /// - Throws: `WorkloadError.missingRights`, `KubeError`
  package func checkRedirect() async throws {
    try await check(
      common + rights(["get", "watch", "patch"], namespace.deployments)
        + rights(["list", "get", "patch", "delete"], namespace.replicaSets))
  }

  /// Makes sure that a pod can be made and deleted.
  ///
  /// - Throws: `WorkloadError.missingRights`, `KubeError`
  package func checkNewPod() async throws {
    try await check(common + rights(["create", "delete"], namespace.pods))
  }

  private var common: [Right] {
    rights(["list", "watch"], namespace.pods) + rights(["create", "delete"], namespace.configMaps)
      // Which of the two a WebSocket upgrade takes depends on the cluster's version: `create` from 1.35 on.
      + rights(["get", "create"], namespace.pods.subresource("portforward"))
      + rights(["list"], namespace.services)
  }

  private func rights(_ verbs: [String], _ path: ResourcePath) -> [Right] { verbs.map { Right(verb: $0, path: path) } }

  private func check(_ rights: [Right]) async throws {
    let missing = try await withThrowingTaskGroup(of: Right?.self) { group in
      for right in rights {
        group.addTask { try await namespace.client.may(right.verb, right.path) ? nil : right }
      }
      var missing: [String] = []
      for try await right in group { if let right { missing.append("\(right)") } }
      return missing
    }
    guard missing.isEmpty else { throw WorkloadError.missingRights(missing.sorted(), namespace: namespace.name) }
  }
}
