package import DevrunCore
internal import DevrunKube

/// The services and pods that the child can name, each with one local address, and the destination behind every address.
///
/// A pure value: the watch of the services changes it, the hosts file and the redirect are made of it.
package struct AddressBook: Sendable {
  /// A service by its two names.
  package struct Key: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// The service's namespace.
    package var namespace: String
    /// The service's name.
    package var name: String

    package var description: String { "\(name).\(namespace)" }

    package static func < (left: Key, right: Key) -> Bool {
      (left.name, left.namespace) < (right.name, right.namespace)
    }
  }

  /// What is behind a local address.
  package struct Entry: Hashable, Sendable {
    /// The address here.
    package var local: IPAddress
    /// The service's own addresses in the cluster; empty for headless services and for those that do not exist yet.
    package var clusterIPs: [IPAddress]
    /// Every name that means the service.
    package var names: [String]
    /// Those of the names that are complete. Each of them means the same with a dot at its end.
    var fullNames: [String] = []
  }

  /// Whom a local address is for.
  enum Owner: Hashable, Sendable {
    /// A service, or a host outside of the cluster.
    case service(Key)
    /// A pod that has a name of its own.
    case pod(PodKey)
  }

  /// What stands for a namespace where a host is in none: no namespace has this name.
  private static let outside = ""

  /// The namespace whose services have short names.
  let namespace: String
  /// The cluster's domain: `cluster.local` in most clusters.
  let domain: String
  /// The services known so far.
  private(set) var entries: [Key: Entry] = [:]
  /// The pods that have names of their own.
  var pods: [PodKey: Entry] = [:]
  /// Which pods with names each object of the cluster has named, with their addresses.
  var named: [AddressGroup.Key: [PodKey: [IPAddress]]] = [:]
  /// Which objects of the cluster name a pod.
  var namers: [PodKey: Set<AddressGroup.Key>] = [:]
  /// Who is behind the local addresses.
  private var owners: [IPAddress: Owner] = [:]
  /// What `takeChanges` has not returned yet.
  private var changes = AddressChanges()
  /// The services that the file names, which get short names of their own.
  private var requested: Set<Key> = []
  private var next = 0

  init(namespace: String, domain: String) {
    self.namespace = namespace
    self.domain = domain
  }

  /// A service that the file asks for: it has an address whether it exists or not.
  mutating func request(_ key: Key) {
    requested.insert(key)
    let addresses = entries[key]?.clusterIPs ?? []
    insert(key, clusterIPs: addresses)
  }

  /// A host outside of the cluster that is to be reached from the pod's place in the network.
  mutating func request(host: String) {
    insert(Key(namespace: Self.outside, name: host), clusterIPs: [])
  }

  /// A service that the cluster has.
  ///
  /// - Returns: whether the child's view has a name more.
  @discardableResult
  mutating func update(_ service: KubeObject) -> Bool {
    guard let key = Self.key(of: service) else { return false }
    return insert(key, clusterIPs: Self.clusterIPs(of: service))
  }

  /// Handles the deletion of a service. Its names keep their local addresses, so that running programs see a stable view;
  /// connections to them fail.
  mutating func remove(_ service: KubeObject) {
    guard let key = Self.key(of: service) else { return }
    forgetAddresses(of: key)
  }

  private mutating func forgetAddresses(of key: Key) {
    guard let addresses = entries[key]?.clusterIPs, !addresses.isEmpty else { return }
    changes.removed += addresses
    entries[key]?.clusterIPs = []
  }

  /// Forgets the addresses of services that a new listing does not have any more.
  ///
  /// - Parameter namespace: the namespace that was listed; `nil` for all.
  mutating func retain(_ present: Set<Key>, in namespace: String?) {
    for key in Array(entries.keys) where !present.contains(key) && [nil, key.namespace].contains(namespace) {
      forgetAddresses(of: key)
    }
  }

  @discardableResult
  private mutating func insert(_ key: Key, clusterIPs: [IPAddress]) -> Bool {
    let names = names(of: key)
    if var entry = entries[key] {
      if entry.clusterIPs != clusterIPs {
        changes.removed += entry.clusterIPs
        changes.inserted += clusterIPs
      }
      entry.clusterIPs = clusterIPs
      let grew = entry.names != names
      entry.names = names
      entries[key] = entry
      return grew
    }
    changes.inserted += clusterIPs
    entries[key] = Entry(
      local: allocate(for: .service(key)), clusterIPs: clusterIPs, names: names, fullNames: fullNames(of: key))
    return true
  }

  /// The next local address.
  mutating func allocate(for owner: Owner) -> IPAddress {
    next += 1
    let local = LocalAddresses.address(next)
    owners[local] = owner
    changes.inserted.append(local)
    return local
  }

  /// The domains that the cluster's names end with. Files of other clusters name `cluster.local`.
  var domains: [String] { domain == "cluster.local" ? [domain] : [domain, "cluster.local"] }

  /// Every name of a service, the shortest first.
  private func names(of key: Key) -> [String] {
    let (name, namespace) = (key.name, key.namespace)
    if namespace == Self.outside { return [name] }
    var names = ["\(name).\(namespace)", "\(name).\(namespace).svc"] + fullNames(of: key)
    let local = Key(namespace: self.namespace, name: name)
    if namespace == self.namespace || requested.contains(key) && entries[local] == nil {
      names.insert(contentsOf: [name, "\(name).svc.cluster.local"], at: 0)
    }
    return names
  }

  private func fullNames(of key: Key) -> [String] {
    if key.namespace == Self.outside { return [key.name] }
    return domains.map { "\(key.name).\(key.namespace).svc.\($0)" }
  }

  /// Where a connection to a local address goes: the address in the cluster, or the name for the agent to resolve.
  func destination(of address: IPAddress) -> String? {
    switch owners[LocalAddresses.address4(of: address) ?? address] {
    case .service(let key):
      if key.namespace == Self.outside { return key.name }
      return entries[key]?.clusterIPs.first?.description ?? "\(key.name).\(key.namespace).svc.\(domain)"
    case .pod(let pod):
      let (service, namespace) = (pod.service.name, pod.service.namespace)
      return pods[pod]?.clusterIPs.first?.description ?? "\(pod.hostname).\(service).\(namespace).svc.\(domain)"
    case nil: return nil
    }
  }

  /// The addresses, local ones and those of the cluster, that came and went since this was called last.
  mutating func takeChanges() -> AddressChanges {
    defer { changes = AddressChanges() }
    return changes
  }

  static func key(of service: KubeObject) -> Key? {
    guard let namespace = service.namespace, !service.name.isEmpty else { return nil }
    return Key(namespace: namespace, name: service.name)
  }

  /// A Service's addresses: none where it is headless or a name for something outside.
  static func clusterIPs(of service: KubeObject) -> [IPAddress] {
    let spec = service.spec
    let texts = spec["clusterIPs"]?.array?.compactMap(\.string) ?? [spec["clusterIP"]?.string].compactMap { $0 }
    return texts.compactMap { IPAddress($0) }
  }
}
