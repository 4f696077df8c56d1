internal import DevrunCore

/// The addresses of pods that are redirected. Some protocols hand them to their clients (Kafka, Redis Cluster).
///
/// Addresses of nodes are left out, because this machine reaches nodes and the API server on its own way: ssh(1) and
/// kubectl work in the child as ever. Endpoints name nodes' addresses where the pods share the node's network. An address
/// counts as a node's if
/// - Endpoints say that it does not belong to a pod: kubelets' own Endpoints name the node, those of the API server name
///   nothing;
/// - Endpoints say that two pods have it;
/// - a pod that the user may list has it as its host's (`status.hostIP`), or a node has it.
///
/// A change costs as much as it has addresses, however many there are.
struct PodAddresses: Sendable {
  /// Who has an address.
  private struct Owners: Sendable {
    /// The pods that Endpoints name, with how many of these there are.
    var pods: [String: Int] = [:]
    /// How many Endpoints have it and name no pod.
    var others = 0
    /// How many pods have it.
    var listed = 0

    var isNobody: Bool { pods.isEmpty && others == 0 && listed == 0 }
    var isOnePod: Bool { others == 0 && (listed > 0 || pods.count == 1) }

    mutating func add(_ number: Int, _ source: AddressGroup.Source, _ pod: String?) {
      switch (source, pod) {
      case (.pods, _): listed += number
      case (.services, let pod?):
        let count = pods[pod, default: 0] + number
        pods[pod] = count > 0 ? count : nil
      case (.services, nil): others += number
      }
    }
  }

  private var groups: [AddressGroup.Key: Set<AddressGroup.Address>] = [:]
  private var owners: [IPAddress: Owners] = [:]
  /// Addresses that are never redirected: those of nodes and of this machine, and the API server's.
  private var excluded: Set<IPAddress> = []

  /// Whether connections to an address are redirected.
  func contains(_ address: IPAddress) -> Bool {
    owners[address]?.isOnePod == true && !excluded.contains(address)
  }

  /// The addresses of pods.
  var addresses: Set<IPAddress> { Set(owners.keys.filter(contains)) }

  /// Leaves out addresses from now on.
  mutating func exclude(_ addresses: some Sequence<IPAddress>) -> AddressChanges {
    let removed = addresses.filter(contains)
    excluded.formUnion(addresses)
    return AddressChanges(removed: Array(Set(removed)))
  }

  /// Applies an event.
  ///
  /// - Parameter namespace: the namespace that is watched; `nil` for all.
  mutating func apply(_ event: AddressEvent, from namespace: String?) -> AddressChanges {
    var before: [IPAddress: Bool] = [:]
    switch event {
    case .snapshot(let source, let all):
      let present = Set(all.map(\.key))
      for key in Array(groups.keys)
      where key.source == source && [nil, key.namespace].contains(namespace) && !present.contains(key) {
        replace(key, with: [], &before)
      }
      for group in all { replace(group.key, with: Set(group.addresses), &before) }
    case .update(let some): for group in some { replace(group.key, with: Set(group.addresses), &before) }
    case .removal(let keys): for key in keys { replace(key, with: [], &before) }
    }
    var changes = AddressChanges()
    for (address, was) in before {
      switch (was, contains(address)) {
      case (false, true): changes.inserted.append(address)
      case (true, false): changes.removed.append(address)
      default: break
      }
    }
    return changes
  }

  /// - Parameter before: gets which of the addresses that this changes were redirected until now.
  private mutating func replace(
    _ key: AddressGroup.Key, with addresses: Set<AddressGroup.Address>, _ before: inout [IPAddress: Bool]
  ) {
    let old = groups[key] ?? []
    for (number, some) in [(1, addresses.subtracting(old)), (-1, old.subtracting(addresses))] {
      for address in some {
        if before[address.ip] == nil { before[address.ip] = contains(address.ip) }
        var owner = owners[address.ip] ?? Owners()
        owner.add(number, key.source, address.pod)
        owners[address.ip] = owner.isNobody ? nil : owner
      }
    }
    groups[key] = addresses.isEmpty ? nil : addresses
  }
}
