internal import DevrunKube

/// The addresses of pods at one moment, and where they were read.
package struct AddressListing: Sendable {
  /// What one collection has.
  struct Part: Sendable {
    /// The collection.
    var collection: ResourceCollection
    /// The namespace; `nil` for all.
    var scope: String?
    /// Reads the collection's objects.
    var reader: AddressReader
    /// What was read.
    var event: AddressEvent
    /// The version of what was read; `nil` if nothing was.
    var version: String?
    /// What is known of the nodes; `nil` if no address of the collection can be a node's.
    var nodes: NodeAddresses?
  }

  /// A kind of collections, of one namespace or of all.
  struct Place: Sendable {
    /// What names the addresses.
    var source: AddressGroup.Source
    /// The namespace; `nil` for all.
    var scope: String?
  }

  /// What was read.
  var parts: [Part] = []
  /// What could not be read at that moment.
  var missing: [Place] = []
}

/// Reads objects that name addresses.
enum AddressReader: Sendable {
  /// Endpoints or EndpointSlices.
  case services
  /// Tables of pods.
  case pods(PodTable)

  /// The event of a watch.
  mutating func event(_ event: WatchEvent) -> AddressEvent {
    switch self {
    case .services: return AddressEvent(event)
    case .pods(var table):
      defer { self = .pods(table) }
      return table.event(event)
    }
  }
}

extension ClusterView {
  /// Adds what was read before the child runs.
  func load(_ listing: AddressListing) {
    // Before the addresses, so that no node is taken for a pod.
    for part in listing.parts { if let nodes = part.nodes { excludeFromPods(nodes.addresses) } }
    for part in listing.parts { load(part.event, from: part.scope) }
  }
}
