internal import DevrunCore
internal import DevrunKube

/// What the user may do, asked before anything is changed (SelfSubjectAccessReview, `authorization.k8s.io/v1`): who may
/// change a workload but not put it back must not begin.
struct Rights: Sendable {
  /// A verb on a resource.
  struct Right: Sendable, Hashable, CustomStringConvertible {
    var verb: String
    var path: ResourcePath

    var description: String {
      [verb, [path.resource, path.subresource].compactMap { $0 }.joined(separator: "/")].joined(separator: " ")
    }
  }

  /// The API.
  var client: KubeClient
  /// The session's namespace.
  var namespace: String

  /// Makes sure that a workload can be redirected and put back.
  ///
  /// - Throws: `SessionError.missingRights`, `KubeError`
  func checkRedirect() async throws {
    try await check(
      common + rights(["get", "watch", "patch"], .deployments(in: namespace))
        + rights(["list", "get", "patch", "delete"], .replicaSets(in: namespace)))
  }

  /// Makes sure that a pod can be made and deleted.
  ///
  /// - Throws: `SessionError.missingRights`, `KubeError`
  func checkNewPod() async throws {
    try await check(common + rights(["create", "delete"], .pods(in: namespace)))
  }

  private var common: [Right] {
    rights(["list", "watch"], .pods(in: namespace)) + rights(["create", "delete"], .configMaps(in: namespace))
      + rights(["get"], .pods(in: namespace).subresource("portforward"))
      + rights(["list"], .services(in: namespace))
  }

  private func rights(_ verbs: [String], _ path: ResourcePath) -> [Right] { verbs.map { Right(verb: $0, path: path) } }

  private func check(_ rights: [Right]) async throws {
    let missing = try await withThrowingTaskGroup(of: Right?.self) { group in
      for right in rights {
        group.addTask { try await client.may(right.verb, right.path) ? nil : right }
      }
      var missing: [String] = []
      for try await right in group { if let right { missing.append("\(right)") } }
      return missing
    }
    guard missing.isEmpty else { throw SessionError.missingRights(missing.sorted(), namespace: namespace) }
  }
}
