internal import DevrunCore
internal import DevrunKube

/// What is known of the addresses of nodes, and when they must be read again.
///
/// A pod that shares its node's network has the node's address. Nodes come and go while a session lasts: an address on a
/// node that was not known when the nodes were read last may be the node's.
struct NodeAddresses: Sendable {
  /// The addresses.
  private(set) var addresses: Set<IPAddress> = []
  /// The nodes whose addresses are known, by name.
  private var nodes: Set<String> = []
  /// The addresses on other nodes that were named when the nodes were read last.
  private var considered: Set<IPAddress> = []
  private var isRead = false
  /// Whether an address on a node that is not known may be the node's.
  private var isPartial = false

  /// Whether the nodes must be read before the addresses of an event count: they never were, or the event brings a new
  /// address on a node that is not known. The same addresses do not ask for it again.
  mutating func mustBeRead(before event: AddressEvent) -> Bool {
    let unknown = Set(event.groups.flatMap(unknownAddresses))
    let isNew = !unknown.isSubset(of: considered)
    considered.formUnion(unknown)
    defer { isRead = true }
    return isNew || !isRead
  }

  /// The event with the addresses that may be a node's taken from their pods: then they are not redirected.
  func withoutDoubtfulPods(_ event: AddressEvent) -> AddressEvent {
    guard isPartial else { return event }
    func cleared(_ groups: [AddressGroup]) -> [AddressGroup] {
      groups.map { group in
        var group = group
        for index in group.addresses.indices where !isOnKnownNode(group.addresses[index]) {
          group.addresses[index].pod = nil
        }
        return group
      }
    }
    return switch event {
    case .snapshot(let source, let groups): .snapshot(source, cleared(groups))
    case .update(let groups): .update(cleared(groups))
    case .removal: event
    }
  }

  /// Adds the nodes that pods run on.
  ///
  /// - Parameter isPartial: whether there are pods besides, on nodes that nothing is known of.
  mutating func add(_ pods: [KubeObject], isPartial: Bool = false) {
    self.isPartial = isPartial
    addresses.formUnion(Self.hostAddresses(of: pods))
    nodes.formUnion(pods.compactMap { $0.spec["nodeName"]?.string })
  }

  /// Adds the nodes of Tables (`kubectl get nodes -o wide`).
  mutating func add(tables: [KubeObject]) {
    isPartial = false
    for table in tables {
      let names = (table.json["columnDefinitions"]?.array ?? []).map { $0["name"]?.string?.lowercased() }
      for row in table.json["rows"]?.array ?? [] {
        for (name, cell) in zip(names, row["cells"]?.array ?? []) {
          guard let text = cell.string else { continue }
          switch name {
          case "name": nodes.insert(text)
          case "internal-ip", "external-ip": if let address = IPAddress(text) { addresses.insert(address) }
          default: break
          }
        }
      }
    }
  }

  /// The addresses of pods on nodes that are not known.
  private func unknownAddresses(_ group: AddressGroup) -> [IPAddress] {
    group.addresses.compactMap { address in
      address.pod == nil || isOnKnownNode(address) ? nil : address.ip
    }
  }

  private func isOnKnownNode(_ address: AddressGroup.Address) -> Bool {
    address.node.map { nodes.contains($0) } ?? false
  }

  /// The addresses of the nodes that pods run on.
  static func hostAddresses(of pods: [KubeObject]) -> Set<IPAddress> {
    Set(
      pods.flatMap { pod in
        let all = (pod.status["hostIPs"]?.array ?? []).compactMap { $0["ip"]?.string }
        return (all + [pod.status["hostIP"]?.string].compactMap { $0 }).compactMap { IPAddress($0) }
      })
  }
}
