internal import DevrunCore
package import DevrunKube

/// The services that the user may see: of all namespaces, where that is allowed at once, else of each namespace that is
/// known of and allowed.
package struct ServiceWatch: Sendable {
  /// How many namespaces are followed where each needs connections of its own.
  static let maximumNamespaces = 20

  /// The session's namespace.
  var namespace: Namespace
  /// Other namespaces that the user is known to have to do with, the most important first.
  var others: [String]

  /// A watch from the place of a session.
  ///
  /// - Parameters:
  ///   - namespace: the session's namespace.
  ///   - others: other namespaces that the user is known to have to do with, the most important first.
  package init(from namespace: Namespace, others: [String]) {
    self.namespace = namespace
    self.others = others
  }

  private var client: KubeClient { namespace.client }

  /// What there is at one moment, and where it was found.
  package struct Listing: Sendable {
    /// The services.
    package var services: [KubeObject]
    /// What is to be followed: namespaces, or `nil` for all.
    package var scopes: [String?]
    /// The namespaces that were not looked into, since there are too many.
    package var omitted: [String] = []
  }

  /// Lists the services there are now.
  ///
  /// - Throws: `KubeError`, also where the services of the session's own namespace may not be listed.
  package func list() async throws -> Listing {
    do {
      return Listing(services: try await client.list(.services(in: nil)).items, scopes: [nil])
    } catch let error as KubeError where error.isForbidden {
      var listing = Listing(services: try await client.list(namespace.services).items, scopes: [namespace.name])
      let candidates = Self.candidates(others + (try await allNamespaces()), beside: namespace.name)
      let considered = candidates.prefix(Self.maximumNamespaces - 1)
      listing.omitted = Array(candidates.dropFirst(considered.count))
      try await withThrowingTaskGroup(of: (String, [KubeObject]?).self) { group in
        for candidate in considered { group.addTask { (candidate, try await services(in: candidate)) } }
        for try await (candidate, services) in group {
          guard let services else { continue }
          listing.services += services
          listing.scopes.append(candidate)
        }
      }
      return listing
    }
  }

  /// Keeps a view up to date until the task is cancelled.
  ///
  /// - Throws: `KubeError`, `ViewError.noSessionDirectory`
  package func follow(_ view: ClusterView, scopes: [String?]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for scope in scopes {
        group.addTask {
          for try await event in client.watch(.services(in: scope)) { try view.apply(event, from: scope) }
        }
        group.addTask {
          do {
            for try await event in client.watch(.endpoints(in: scope)) { view.applyEndpoints(event, from: scope) }
          } catch let error as KubeError where error.isForbidden {
            return  // Then the pods' own addresses stay unknown.
          }
        }
      }
      try await group.waitForAll()
    }
  }

  /// The namespaces to try, each once, in their order.
  static func candidates(_ names: [String], beside namespace: String) -> [String] {
    var seen: Set<String> = [namespace]
    return names.filter { seen.insert($0).inserted }
  }

  /// Every namespace of the cluster, where they may be listed.
  private func allNamespaces() async throws -> [String] {
    do {
      return try await client.list(.namespaces).items.map(\.name).sorted()
    } catch let error as KubeError where error.isForbidden {
      return []
    }
  }

  /// The services of a namespace; `nil` where they may not be listed.
  private func services(in namespace: String) async throws -> [KubeObject]? {
    do {
      return try await client.list(.services(in: namespace)).items
    } catch let error as KubeError where error.isForbidden {
      return nil
    }
  }
}
