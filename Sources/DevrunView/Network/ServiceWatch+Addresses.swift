// The addresses of pods have two sources. EndpointSlices (Endpoints on servers and for users that have none) name the pods
// behind services, and the host names of pods within a service. The list of pods names those that are behind no service.
// Both are read while the session's pod starts, and followed from there on.

package import DevrunCore
internal import DevrunKube

extension ServiceWatch {
  /// The pods that have an address and run. Of a pod that has ended, another may have the address now.
  private static let running = "status.phase!=Succeeded,status.phase!=Failed"

  /// Reads the addresses of pods.
  ///
  /// - Parameter scopes: the namespaces to look into; `nil` for all.
  package func listAddresses(in scopes: [String?], reporter: any Reporter) async -> AddressListing {
    let places = scopes.flatMap { scope in
      [AddressGroup.Source.services, .pods].map { AddressListing.Place(source: $0, scope: scope) }
    }
    return await withTaskGroup(of: (AddressListing.Place, Result<AddressListing.Part?, any Error>).self) { group in
      for place in places {
        group.addTask { await (place, Result { try await read(place, reporter) }) }
      }
      var listing = AddressListing()
      for await (place, result) in group {
        switch result {
        case .success(let part?): listing.parts.append(part)
        case .success(nil): break
        case .failure(let error):
          listing.missing.append(place)
          reporter.report(.detail("\(Self.words(place)) cannot be listed: \(error)"))
        }
      }
      return listing
    }
  }

  /// Follows what a listing has read until the task is cancelled.
  ///
  /// - Throws: `CancellationError`
  func followAddresses(_ listing: AddressListing, _ view: ClusterView, reporter: any Reporter) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for part in listing.parts { group.addTask { try await follow(part, view, reporter: reporter) } }
      for place in listing.missing {
        group.addTask {
          let part = try await Self.persistently {
            try await read(place, reporter)
          } onTrouble: { error in
            reporter.report(.detail("\(Self.words(place)) cannot be listed: \(error)"))
          }
          if let part { try await follow(part, view, reporter: reporter) }
        }
      }
      try await group.waitForAll()
    }
  }

  private static func words(_ place: AddressListing.Place) -> String {
    switch place.source {
    case .services: "the addresses behind services of \(words(place.scope))"
    case .pods: "the pods of \(words(place.scope))"
    }
  }

  // MARK: Reading

  /// - Returns: `nil` where nothing may be listed.
  private func read(_ place: AddressListing.Place, _ reporter: any Reporter) async throws -> AddressListing.Part? {
    let part =
      switch place.source {
      case .services: try await readEndpoints(in: place.scope)
      case .pods: try await readPods(in: place.scope)
      }
    if part == nil { reporter.report(.detail("\(Self.words(place)) may not be listed")) }
    return part
  }

  /// Reads EndpointSlices, or Endpoints where those are not served or may not be read. Where those of all namespaces may
  /// not be read, these are the ones of the session's own namespace.
  private func readEndpoints(in scope: String?) async throws -> AddressListing.Part? {
    let collections = [
      .endpointSlices(in: scope, version: "v1"), .endpointSlices(in: scope, version: "v1beta1"), .endpoints(in: scope),
    ].map { ResourceCollection($0) }
    for collection in collections {
      if let part = try await read(collection, .services, in: scope) { return try await withNodes(part) }
    }
    return scope == nil ? try await readEndpoints(in: namespace.name) : nil
  }

  /// Reads the pods of a namespace, or of all. Where those of all namespaces may not be listed, or cannot be told from the
  /// nodes, these are the pods of the session's own namespace.
  private func readPods(in scope: String?) async throws -> AddressListing.Part? {
    let reader = AddressReader.pods(PodTable(namespace: scope))
    func collection(_ selector: String) -> ResourceCollection {
      ResourceCollection(.pods(in: scope), fieldSelector: selector, isTable: true)
    }
    do {
      if let part = try await read(collection(Self.running + ",spec.hostNetwork=false"), reader, in: scope) {
        return part
      }
    } catch let error as KubeError where error.status?.code == 400 {
      // Older servers cannot select by the network: a pod that shares its node's is known by the address.
      let canTell = if scope == nil { try await nodeTables() != nil } else { true }
      if canTell, let part = try await read(collection(Self.running), reader, in: scope) {
        return try await withNodes(part)
      }
    }
    return scope == nil ? try await readPods(in: namespace.name) : nil
  }

  /// - Returns: `nil` if there is no such collection, or the user may not list it.
  private func read(
    _ collection: ResourceCollection, _ reader: AddressReader, in scope: String?
  ) async throws -> AddressListing.Part? {
    do {
      let list = try await client.list(collection)
      var reader = reader
      let event = reader.event(.snapshot(list.items))
      return AddressListing.Part(
        collection: collection, scope: scope, reader: reader, event: event, version: list.resourceVersion)
    } catch let error as KubeError where error.isForbidden || error.isNotFound {
      return nil
    }
  }

  private func withNodes(_ part: AddressListing.Part) async throws -> AddressListing.Part {
    var (part, nodes) = (part, NodeAddresses())
    if nodes.mustBeRead(before: part.event) { try await read(&nodes, in: part.scope) }
    part.nodes = nodes
    part.event = nodes.withoutDoubtfulPods(part.event)
    return part
  }

  /// Reads the pods that share a node's network, as far as they may be listed. Older servers cannot select those pods: there
  /// the nodes themselves are read, or else the pods of the namespace, whatever network they have. These show nothing of
  /// the nodes that other namespaces' pods run on.
  ///
  /// - Throws: `KubeError`
  private func read(_ nodes: inout NodeAddresses, in scope: String?) async throws {
    do {
      nodes.add(try await client.list(.pods(in: scope), fieldSelector: "spec.hostNetwork=true").items)
    } catch let error as KubeError where error.status?.code == 400 || error.isForbidden {
      if let tables = try await nodeTables() {
        nodes.add(tables: tables)
      } else {
        let listed = error.isForbidden ? namespace.name : scope ?? namespace.name
        nodes.add(try await client.list(.pods(in: listed)).items, isPartial: listed != scope)
      }
    }
  }

  /// The nodes, as Tables; `nil` if they may not be listed.
  private func nodeTables() async throws -> [KubeObject]? {
    do {
      return try await client.list(ResourceCollection(.nodes, isTable: true)).items
    } catch let error as KubeError where error.isForbidden {
      return nil
    }
  }

  // MARK: Following

  private func follow(_ part: AddressListing.Part, _ view: ClusterView, reporter: any Reporter) async throws {
    let what = "the addresses of pods in \(Self.words(part.scope))"
    var part = part
    let events = client.persistentWatch(part.collection, from: part.version) { condition in
      switch condition {
      case .troubled(let error): reporter.report(.detail("\(what) cannot be followed at the moment: \(error)"))
      case .recovered: reporter.report(.detail("\(what) are followed again"))
      }
    }
    var hasWarned = false
    func apply(_ change: AddressEvent) {
      do {
        try view.apply(change, from: part.scope)
        hasWarned = false
      } catch {
        if !hasWarned { reporter.report(.warning(error.message)) }
        hasWarned = true
      }
    }
    // This changes nothing if the view has been made with it.
    if let nodes = part.nodes { view.excludeFromPods(nodes.addresses) }
    apply(part.event)
    for try await event in events {
      let change = part.reader.event(event)
      if var nodes = part.nodes, nodes.mustBeRead(before: change) {
        // Before the addresses, so that no node is taken for a pod.
        nodes = try await Self.persistently { [nodes] in
          var nodes = nodes
          try await read(&nodes, in: part.scope)
          return nodes
        } onTrouble: { error in
          reporter.report(
            .detail("the addresses of nodes are not known yet from \(Self.words(part.scope)): \(error)"))
        }
        view.excludeFromPods(nodes.addresses)
        part.nodes = nodes
      }
      apply(part.nodes?.withoutDoubtfulPods(change) ?? change)
    }
  }
}

extension Result where Failure == any Error {
  /// What an asynchronous body returns or throws.
  fileprivate init(_ body: () async throws -> Success) async {
    do { self = .success(try await body()) } catch { self = .failure(error) }
  }
}
