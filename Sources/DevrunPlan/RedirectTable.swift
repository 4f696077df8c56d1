public import DevrunCore
internal import Synchronization

/// The addresses that connections are redirected from: those of the session's services, and networks of the cluster. May
/// be changed at any time, by anyone.
public final class RedirectTable: Sendable {
  private struct Entries {
    var addresses: Set<AddressKey> = []
    var networks: [IPNetwork] = []
    var rules: [NetworkRule] = []

    func contain(_ address: AddressKey) -> Bool {
      if addresses.contains(address) { return true }
      for network in networks where network.contains(address) { return true }
      return false
    }
  }

  private let entries = Mutex(Entries())

  /// A table of the given addresses and networks.
  public init(addresses: some Sequence<IPAddress> = [], networks: some Sequence<IPNetwork> = []) {
    replace(addresses: addresses, networks: networks)
  }

  /// Puts other addresses and networks in the place of all that there are.
  public func replace(addresses: some Sequence<IPAddress>, networks: some Sequence<IPNetwork>) {
    let addresses = Set(addresses.map { AddressKey($0) })
    let networks = Array(networks)
    entries.withLock {
      $0.addresses = addresses
      $0.networks = networks
    }
  }

  /// Adds some addresses and takes others out. The networks stay.
  public func update(inserting fresh: some Sequence<IPAddress>, removing gone: some Sequence<IPAddress>) {
    entries.withLock { entries in
      for address in gone { entries.addresses.remove(AddressKey(address)) }
      for address in fresh { entries.addresses.insert(AddressKey(address)) }
    }
  }

  /// Redirects connections by the rules too, in place of the earlier rules. `replace` leaves them alone.
  public func add(rules: [NetworkRule]) { entries.withLock { $0.rules = rules } }

  /// The rules that hold beside addresses and networks.
  public var rules: [NetworkRule] { entries.withLock(\.rules) }

  /// Whether connections to the address are redirected.
  public func contains(_ address: IPAddress) -> Bool { contains(AddressKey(address)) }

  /// Whether connections to the address are redirected, whatever their port.
  public func contains(_ address: AddressKey) -> Bool {
    entries.withLock { $0.contain(address) }
  }

  /// Whether connections to the port of the address are redirected. This is asked for each connect of the child, and
  /// allocates nothing.
  public func contains(_ address: AddressKey, port: UInt16) -> Bool {
    entries.withLock { entries in
      if entries.contain(address) { return true }
      for rule in entries.rules where rule.matches(address, port: port) { return true }
      return false
    }
  }
}

extension RedirectTable: Codable {
  private enum CodingKeys: CodingKey {
    case addresses, networks, rules
  }

  /// Reads a table that another process has.
  public convenience init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      addresses: try container.decode([IPAddress].self, forKey: .addresses),
      networks: try container.decode([IPNetwork].self, forKey: .networks))
    add(rules: try container.decodeIfPresent([NetworkRule].self, forKey: .rules) ?? [])
  }

  /// Writes the table as it is now.
  public func encode(to encoder: any Encoder) throws {
    let entries = entries.withLock { $0 }
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(entries.addresses.compactMap(\.address), forKey: .addresses)
    try container.encode(entries.networks, forKey: .networks)
    try container.encode(entries.rules, forKey: .rules)
  }
}
