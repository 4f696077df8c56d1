package import DevrunCore
internal import DevrunKube

/// The services that the child can name, each with one local address, and the destination behind every address.
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

    package static func < (left: Key, right: Key) -> Bool { left.description < right.description }
  }

  /// What is behind a local address.
  package struct Entry: Hashable, Sendable {
    /// The address here.
    package var local: IPAddress
    /// The service's own addresses in the cluster; empty for headless services and for those that do not exist yet.
    package var clusterIPs: [IPAddress]
    /// Every name that means the service.
    package var names: [String]
  }

  /// What stands for a namespace where a host is in none: no namespace has this name.
  private static let outside = ""

  /// The namespace whose services have short names.
  let namespace: String
  /// The cluster's domain: `cluster.local` in most clusters.
  let domain: String
  /// The services known so far.
  private(set) var entries: [Key: Entry] = [:]
  /// The services behind the local addresses.
  private var keys: [IPAddress: Key] = [:]
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
    entries[key]?.clusterIPs = []
  }

  /// Forgets the addresses of services that a new listing does not have any more.
  ///
  /// - Parameter namespace: the namespace that was listed; `nil` for all.
  mutating func retain(_ present: Set<Key>, in namespace: String?) {
    for key in entries.keys where !present.contains(key) && [nil, key.namespace].contains(namespace) {
      entries[key]?.clusterIPs = []
    }
  }

  @discardableResult
  private mutating func insert(_ key: Key, clusterIPs: [IPAddress]) -> Bool {
    let names = names(of: key)
    if var entry = entries[key] {
      entry.clusterIPs = clusterIPs
      let grew = entry.names != names
      entry.names = names
      entries[key] = entry
      return grew
    }
    let local = allocate()
    entries[key] = Entry(local: local, clusterIPs: clusterIPs, names: names)
    keys[local] = key
    return true
  }

  /// The next local address, of 127.77.0.0/16 and on: apart from those that resolvers and distributions use.
  private mutating func allocate() -> IPAddress {
    next += 1
    let (high, low) = (77 + next / 64516, next % 64516)
    return IPAddress(127, UInt8(high), UInt8(low / 254), UInt8(low % 254 + 1))
  }

  /// Every name of a service, the shortest first.
  private func names(of key: Key) -> [String] {
    let (name, namespace) = (key.name, key.namespace)
    if namespace == Self.outside { return [name] }
    var names = ["\(name).\(namespace)", "\(name).\(namespace).svc", "\(name).\(namespace).svc.\(domain)"]
    if domain != "cluster.local" { names.append("\(name).\(namespace).svc.cluster.local") }
    let local = Key(namespace: self.namespace, name: name)
    if namespace == self.namespace || requested.contains(key) && entries[local] == nil {
      names.insert(contentsOf: [name, "\(name).svc.cluster.local"], at: 0)
    }
    return names
  }

  /// Where a connection to a local address goes: the service's own address, or its name for the agent to resolve.
  func destination(of address: IPAddress) -> String? {
    guard let key = keys[address], let entry = entries[key] else { return nil }
    if key.namespace == Self.outside { return key.name }
    return entry.clusterIPs.first?.description ?? "\(key.name).\(key.namespace).svc.\(domain)"
  }

  /// Every address of the view that a connection can be made to.
  var addresses: Set<IPAddress> {
    Set(entries.values.flatMap { [$0.local] + $0.clusterIPs })
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
