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

  /// Whether the nodes must be read before the addresses of an event count: they never were, or the event brings a new
  /// address on a node that is not known. The same addresses do not ask for it again.
  mutating func mustBeRead(before event: AddressEvent) -> Bool {
    let unknown = Set(event.groups.flatMap(unknownAddresses))
    let isNew = !unknown.isSubset(of: considered)
    considered.formUnion(unknown)
    defer { isRead = true }
    return isNew || !isRead
  }

  /// Adds the nodes that pods run on.
  mutating func add(_ pods: [KubeObject]) {
    addresses.formUnion(Self.hostAddresses(of: pods))
    nodes.formUnion(pods.compactMap { $0.spec["nodeName"]?.string })
  }

  /// Adds the nodes of Tables (`kubectl get nodes -o wide`).
  mutating func add(tables: [KubeObject]) {
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
      guard address.pod != nil else { return nil }
      if let node = address.node, nodes.contains(node) { return nil }
      return address.ip
    }
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
