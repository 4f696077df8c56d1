internal import DevrunCore

/// Pods that have names of their own within a headless service, as those of a StatefulSet do.
extension AddressBook {
  /// A pod by its host name within a service.
  struct PodKey: Hashable, Sendable, Comparable {
    /// The service.
    var service: Key
    /// The pod's host name.
    var hostname: String

    static func < (left: PodKey, right: PodKey) -> Bool {
      (left.hostname, left.service) < (right.hostname, right.service)
    }
  }

  /// Applies an event of the watch of Endpoints.
  ///
  /// A pod that goes keeps its local address: one of the same name that comes later is found there.
  ///
  /// - Parameter namespace: the namespace that is watched; `nil` for all.
  /// - Returns: the pods that have names for the first time.
  mutating func apply(_ event: AddressEvent, from namespace: String?) -> [PodKey] {
    switch event {
    case .snapshot(let source, let groups):
      guard source == .services else { return [] }
      let present = Set(groups.map(\.key))
      for key in Array(named.keys) where [nil, key.namespace].contains(namespace) && !present.contains(key) {
        _ = replace(key, with: [:])
      }
      return groups.flatMap { update($0) }
    case .update(let groups): return groups.flatMap { update($0) }
    case .removal(let keys):
      for key in keys { _ = replace(key, with: [:]) }
      return []
    }
  }

  private mutating func update(_ group: AddressGroup) -> [PodKey] {
    guard group.key.source == .services, let service = group.service else { return [] }
    var hosts: [PodKey: [IPAddress]] = [:]
    for address in group.addresses where address.isReady {
      guard let hostname = address.hostname, !hostname.isEmpty else { continue }
      hosts[PodKey(service: service, hostname: hostname), default: []].append(address.ip)
    }
    return replace(group.key, with: hosts)
  }

  private mutating func replace(_ group: AddressGroup.Key, with hosts: [PodKey: [IPAddress]]) -> [PodKey] {
    let old = named[group] ?? [:]
    named[group] = hosts.isEmpty ? nil : hosts
    var fresh: [PodKey] = []
    for pod in Set(old.keys).union(hosts.keys).sorted() where old[pod] != hosts[pod] {
      if hosts[pod] == nil { namers[pod]?.remove(group) } else { namers[pod, default: []].insert(group) }
      if pods[pod] == nil {
        pods[pod] = Entry(
          local: allocate(for: .pod(pod)), clusterIPs: [], names: names(of: pod), fullNames: fullNames(of: pod))
        fresh.append(pod)
      }
      let addresses = addresses(of: pod)
      pods[pod]?.clusterIPs = addresses
    }
    return fresh
  }

  /// The addresses that the objects of the cluster name for a pod, in an order that does not depend on when they came:
  /// IPv4 first, since a tunnel's far end may lack IPv6.
  private func addresses(of pod: PodKey) -> [IPAddress] {
    let all = Set((namers[pod] ?? []).flatMap { named[$0]?[pod] ?? [] })
    return all.sorted {
      $0.isIPv4 == $1.isIPv4 ? $0.bytes.lexicographicallyPrecedes($1.bytes) : $0.isIPv4
    }
  }

  /// Every name of a pod, the shortest first.
  private func names(of pod: PodKey) -> [String] {
    let (service, namespace) = (pod.service.name, pod.service.namespace)
    let name = "\(pod.hostname).\(service)"
    let names = ["\(name).\(namespace)", "\(name).\(namespace).svc"] + fullNames(of: pod)
    return namespace == self.namespace ? [name] + names : names
  }

  private func fullNames(of pod: PodKey) -> [String] {
    domains.map { "\(pod.hostname).\(pod.service.name).\(pod.service.namespace).svc.\($0)" }
  }
}
