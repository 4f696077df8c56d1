internal import DevrunCore
internal import DevrunKube

/// The addresses of the pods behind services, which some protocols hand to their clients (Kafka, Redis Cluster).
///
/// Addresses of nodes are left out, because this machine reaches nodes and the API server on its own way: ssh(1) and
/// kubectl work in the child as ever. Endpoints name nodes' addresses where the pods share the node's network. An address
/// counts as a node's if
/// - it does not belong to a pod: kubelets' own Endpoints name the node, those of the API server name nothing;
/// - two pods have it;
/// - a pod that the user may list has it as its host's (`status.hostIP`).
struct PodAddresses: Sendable {
  /// What one Endpoints object names: the pods by address, and the addresses that are no pod's.
  private struct Subset: Sendable {
    var pods: [IPAddress: Set<String>] = [:]
    var others: Set<IPAddress> = []
  }

  private var subsets: [AddressBook.Key: Subset] = [:]
  /// Addresses that are never redirected: those of nodes and of this machine, and the API server's.
  private var excluded: Set<IPAddress> = []

  /// Leaves out addresses from now on.
  mutating func exclude(_ addresses: some Sequence<IPAddress>) { excluded.formUnion(addresses) }

  /// Applies an event of the watch of Endpoints.
  ///
  /// - Parameter namespace: the namespace that is watched; `nil` for all.
  mutating func apply(_ event: WatchEvent, from namespace: String?) {
    switch event {
    case .snapshot(let all):
      if let namespace { subsets = subsets.filter { $0.key.namespace != namespace } } else { subsets = [:] }
      for endpoints in all { update(endpoints) }
    case .added(let endpoints), .modified(let endpoints): update(endpoints)
    case .deleted(let endpoints): if let key = AddressBook.key(of: endpoints) { subsets[key] = nil }
    }
  }

  /// The addresses of pods.
  var addresses: Set<IPAddress> {
    var owners: [IPAddress: Set<String>] = [:]
    var left = excluded
    for subset in subsets.values {
      owners.merge(subset.pods) { $0.union($1) }
      left.formUnion(subset.others)
    }
    return Set(owners.lazy.filter { $0.value.count == 1 }.map(\.key)).subtracting(left)
  }

  private mutating func update(_ endpoints: KubeObject) {
    guard let key = AddressBook.key(of: endpoints) else { return }
    var subset = Subset()
    for address in (endpoints.json["subsets"]?.array ?? []).flatMap({ $0["addresses"]?.array ?? [] }) {
      guard let ip = address["ip"]?.string.flatMap({ IPAddress($0) }), !ip.isLoopback else { continue }
      if address[path: "targetRef", "kind"]?.string == "Pod", let pod = address[path: "targetRef", "name"]?.string {
        let namespace = address[path: "targetRef", "namespace"]?.string ?? key.namespace
        subset.pods[ip, default: []].insert("\(namespace)/\(pod)")
      } else {
        subset.others.insert(ip)
      }
    }
    subsets[key] = subset
  }
}
