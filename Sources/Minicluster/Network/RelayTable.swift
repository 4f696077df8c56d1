// Which ports of services lead where: a pure table, from the objects of the API.

internal import DevrunCore
internal import DevrunKube

/// The ports of services that are relayed, each with the endpoints behind it.
struct RelayTable: Sendable {
  /// A port of a service's address.
  struct Port: Sendable, Hashable {
    var address: String
    var number: Int
  }

  /// An endpoint.
  struct Target: Sendable, Hashable {
    var address: String
    var port: Int
  }

  private struct Key: Hashable {
    var namespace: String
    var name: String
  }

  private var services: [Key: KubeObject] = [:]
  private var endpoints: [Key: KubeObject] = [:]
  /// The addresses that others listen on.
  let excluded: Set<String>

  /// A table without services.
  ///
  /// - Parameter excluded: addresses that others listen on.
  init(excluding excluded: Set<String> = []) { self.excluded = excluded }

  /// Takes a change of a Service or of Endpoints in.
  mutating func apply(_ change: ObjectStore.Change) {
    let (object, isGone): (KubeObject, Bool)
    switch change {
    case .added(let new), .modified(let new): (object, isGone) = (new, false)
    case .deleted(let old): (object, isGone) = (old, true)
    case .bookmark: return
    }
    let key = Key(namespace: object.namespace ?? "", name: object.name)
    if object.kind == "Service" {
      services[key] = isGone ? nil : object
    } else {
      endpoints[key] = isGone ? nil : object
    }
  }

  /// The addresses of all services.
  var addresses: Set<String> { Set(services.values.compactMap(\.clusterIP)).subtracting(excluded) }

  /// The ports that lead somewhere. A port without a ready endpoint is not among them: nothing listens there, so that a
  /// connection is refused at once.
  var ports: [Port: [Target]] {
    var ports: [Port: [Target]] = [:]
    for (key, service) in services {
      guard let address = service.clusterIP, !excluded.contains(address) else { continue }
      for port in service.spec["ports"]?.array ?? [] where (port["protocol"]?.string ?? "TCP") == "TCP" {
        guard let number = port["port"]?.int else { continue }
        let targets = targets(of: endpoints[key], portNamed: port["name"]?.string ?? "")
        if !targets.isEmpty { ports[Port(address: address, number: number)] = targets }
      }
    }
    return ports
  }

  private func targets(of endpoints: KubeObject?, portNamed name: String) -> [Target] {
    (endpoints?.json["subsets"]?.array ?? []).flatMap { subset -> [Target] in
      let port = (subset["ports"]?.array ?? []).first { ($0["name"]?.string ?? "") == name }
      guard let number = port?["port"]?.int else { return [] }
      return (subset["addresses"]?.array ?? []).compactMap { address in
        address["ip"]?.string.map { Target(address: $0, port: number) }
      }
    }
  }
}
