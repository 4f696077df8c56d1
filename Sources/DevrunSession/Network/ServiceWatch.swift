internal import DevrunCore
internal import DevrunKube

/// The services that the user may see: of all namespaces, where that is allowed, else of the session's own.
struct ServiceWatch: Sendable {
  /// The API.
  var client: KubeClient
  /// The session's namespace.
  var namespace: String

  /// The services there are now, and the namespace to watch on (`nil` for all).
  ///
  /// - Throws: `KubeError`
  func list() async throws -> (services: [JSONValue], scope: String?) {
    do {
      return (try await client.list(.services(in: nil)).items, nil)
    } catch let error as KubeError where error.isForbidden {
      return (try await client.list(.services(in: namespace)).items, namespace)
    }
  }

  /// Keeps a view up to date until the task is cancelled.
  ///
  /// - Throws: `KubeError`, `SessionError.noSessionDirectory`
  func follow(_ view: ClusterView, scope: String?) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        for try await event in client.watch(.services(in: scope)) { try view.apply(event, from: scope) }
      }
      group.addTask {
        do {
          for try await event in client.watch(.endpoints(in: scope)) { view.applyEndpoints(event) }
        } catch let error as KubeError where error.isForbidden {
          return  // Then the pods' own addresses stay unknown.
        }
      }
      try await group.waitForAll()
    }
  }
}
