package import DevrunCore
package import DevrunKube
package import DevrunSystem

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

  var client: KubeClient { namespace.client }

  /// What there is at one moment, and where it was found.
  package struct Listing: Sendable {
    /// The services.
    package var services: [KubeObject]
    /// What is to be followed: namespaces, or `nil` for all.
    package var scopes: [String?]
    /// The versions of the lists, by their namespaces: what comes later is followed from there. The key of all namespaces is
    /// empty.
    var versions: [String: String] = [:]
    /// The namespaces that were not looked into, since there are too many.
    package var omitted: [String] = []

    /// Adds what was read of a namespace, or of all.
    fileprivate mutating func add(_ list: ResourceList, of scope: String?) {
      services += list.items
      scopes.append(scope)
      versions[scope ?? ""] = list.resourceVersion
    }
  }

  /// Lists the services there are now.
  ///
  /// - Parameter onScopes: is called with what is to be followed, as soon as that is known: where there are thousands of
  ///   services, that is long before all are read.
  /// - Throws: `KubeError`, also where the services of the session's own namespace may not be listed.
  package func list(onScopes: ([String?]) -> Void = { _ in }) async throws -> Listing {
    do {
      var listing = Listing(services: [], scopes: [])
      listing.add(try await client.list(.services(in: nil)) { onScopes([nil]) }, of: nil)
      return listing
    } catch let error as KubeError where error.isForbidden {
      var listing = Listing(services: [], scopes: [])
      listing.add(try await client.list(namespace.services), of: namespace.name)
      let candidates = Self.candidates(others + (try await allNamespaces()), beside: namespace.name)
      let considered = candidates.prefix(Self.maximumNamespaces - 1)
      listing.omitted = Array(candidates.dropFirst(considered.count))
      try await withThrowingTaskGroup(of: (String, ResourceList?).self) { group in
        for candidate in considered { group.addTask { (candidate, try await services(in: candidate)) } }
        for try await (candidate, services) in group {
          guard let services else { continue }
          listing.add(services, of: candidate)
        }
      }
      onScopes(listing.scopes)
      return listing
    }
  }

  /// Keeps a view up to date until the task is cancelled. What cannot be followed for a while, or in one namespace, is tried
  /// again, and ends nothing else.
  ///
  /// - Parameters:
  ///   - listing: what the view was made of.
  ///   - addresses: what was read of the addresses of pods, as soon as it is.
  /// - Throws: `CancellationError`
  package func follow(
    _ view: ClusterView, from listing: Listing, addresses: Latch<AddressListing>, reporter: any Reporter
  ) async throws {
    if let server = IPAddress(client.serverHost) { view.excludeFromPods([server]) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for scope in listing.scopes {
        group.addTask {
          try await followServices(view, in: scope, from: listing.versions[scope ?? ""], reporter: reporter)
        }
      }
      group.addTask {
        guard let addresses = await addresses.wait() else { throw CancellationError() }
        try await followAddresses(addresses, view, reporter: reporter)
      }
      try await group.waitForAll()
    }
  }

  private func followServices(
    _ view: ClusterView, in scope: String?, from version: String?, reporter: any Reporter
  ) async throws {
    let what = "the services of \(Self.words(scope))"
    let events = client.persistentWatch(ResourceCollection(.services(in: scope)), from: version) { condition in
      switch condition {
      case .troubled(let error) where error.isForbidden:
        reporter.report(.warning(ErrorMessage("\(what) cannot be followed at the moment", why: error.message.why)))
      case .troubled(let error): reporter.report(.detail("\(what) cannot be followed at the moment: \(error)"))
      case .recovered: reporter.report(.detail("\(what) are followed again"))
      }
    }
    var hasWarned = false
    for try await event in events {
      do {
        try view.apply(event, from: scope)
        hasWarned = false
      } catch let error as ViewError {
        if !hasWarned { reporter.report(.warning(error.message)) }
        hasWarned = true
      }
    }
  }

  /// Reads something from the cluster, again and again until that succeeds, with longer and longer waits.
  ///
  /// - Parameter onTrouble: is called with each error whose words are new.
  /// - Throws: `CancellationError`
  static func persistently<Value>(
    pauses: Backoff = Backoff(first: .milliseconds(250), limit: .seconds(60)), _ read: () async throws -> Value,
    onTrouble: (any Error) -> Void
  ) async throws -> Value {
    var pauses = pauses
    var last: String?
    while true {
      do {
        return try await read()
      } catch {
        try Task.checkCancellation()
        if last != "\(error)" { onTrouble(error) }
        last = "\(error)"
      }
      await pauses.pause()
      try Task.checkCancellation()
    }
  }

  static func words(_ scope: String?) -> String { scope.map { "namespace \($0)" } ?? "all namespaces" }

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
  private func services(in namespace: String) async throws -> ResourceList? {
    do {
      return try await client.list(.services(in: namespace))
    } catch let error as KubeError where error.isForbidden {
      return nil
    }
  }
}
