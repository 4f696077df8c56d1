internal import DevrunCore
internal import DevrunKube

/// The addresses that one object of the cluster names: an Endpoints object, an EndpointSlice, or a pod.
struct AddressGroup: Sendable, Hashable {
  /// What names the addresses.
  enum Source: Sendable, Hashable {
    /// Endpoints and EndpointSlices: what is behind a service.
    case services
    /// Pods.
    case pods
  }

  /// Which object it is.
  struct Key: Sendable, Hashable {
    /// What kind of object.
    var source: Source
    /// The object's namespace; empty where it is not known.
    var namespace: String
    /// The object's name.
    var name: String
  }

  /// One address.
  struct Address: Sendable, Hashable {
    /// The address.
    var ip: IPAddress
    /// The pod that has it, with its namespace; `nil` for an address that is not a pod's.
    var pod: String?
    /// The node that the pod is on.
    var node: String?
    /// The pod's name within the service.
    var hostname: String?
    /// Whether the service passes connections on to it.
    var isReady = true
  }

  /// Which object it is.
  var key: Key
  /// The service that the addresses are behind.
  var service: AddressBook.Key?
  /// The addresses.
  var addresses: [Address] = []
}

/// A change of the objects that name addresses.
enum AddressEvent: Sendable, Hashable {
  /// All that a source has in a namespace, or in all.
  case snapshot(AddressGroup.Source, [AddressGroup])
  /// These are new, or have changed.
  case update([AddressGroup])
  /// These are gone.
  case removal([AddressGroup.Key])
}

extension AddressGroup {
  /// The group of an Endpoints object (`core/v1`) or an EndpointSlice (`discovery.k8s.io`); `nil` for anything else.
  init?(_ object: KubeObject) {
    guard let key = AddressBook.key(of: object) else { return nil }
    self.key = Key(source: .services, namespace: key.namespace, name: key.name)
    if object.kind == "EndpointSlice" || object.json["endpoints"] != nil {
      service = object.labels["kubernetes.io/service-name"].map {
        AddressBook.Key(namespace: key.namespace, name: $0)
      }
      // A name of a host outside of the cluster is no address.
      guard object.json["addressType"]?.string != "FQDN" else { return }
      addresses = (object.json["endpoints"]?.array ?? []).flatMap { endpoint in
        let ips = (endpoint["addresses"]?.array ?? []).compactMap(\.string)
        let topology = endpoint["topology"]?["kubernetes.io/hostname"]
        return ips.compactMap { ip in
          Self.address(
            ip, endpoint, in: key.namespace, node: endpoint["nodeName"] ?? topology,
            isReady: endpoint[path: "conditions", "ready"]?.bool ?? true)
        }
      }
    } else {
      service = key
      for subset in object.json["subsets"]?.array ?? [] {
        for (field, isReady) in [("addresses", true), ("notReadyAddresses", false)] {
          addresses += (subset[field]?.array ?? []).compactMap { address in
            address["ip"]?.string.flatMap {
              Self.address($0, address, in: key.namespace, node: address["nodeName"], isReady: isReady)
            }
          }
        }
      }
    }
  }

  private static func address(
    _ text: String, _ endpoint: JSONValue, in namespace: String, node: JSONValue?, isReady: Bool
  ) -> Address? {
    guard let ip = IPAddress(text), !ip.isLoopback else { return nil }
    var pod: String?
    if endpoint[path: "targetRef", "kind"]?.string == "Pod", let name = endpoint[path: "targetRef", "name"]?.string {
      pod = "\(endpoint[path: "targetRef", "namespace"]?.string ?? namespace)/\(name)"
    }
    return Address(ip: ip, pod: pod, node: node?.string, hostname: endpoint["hostname"]?.string, isReady: isReady)
  }
}

extension AddressEvent {
  /// The event of a watch of Endpoints or EndpointSlices.
  init(_ event: WatchEvent) {
    switch event {
    case .snapshot(let all): self = .snapshot(.services, all.compactMap { AddressGroup($0) })
    case .added(let object), .modified(let object): self = .update([AddressGroup(object)].compactMap { $0 })
    case .deleted(let object): self = .removal([AddressGroup(object)?.key].compactMap { $0 })
    }
  }

  /// The groups that there are, or that have changed.
  var groups: [AddressGroup] {
    switch self {
    case .snapshot(_, let groups), .update(let groups): groups
    case .removal: []
    }
  }
}
