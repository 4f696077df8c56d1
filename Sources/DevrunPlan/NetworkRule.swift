public import DevrunCore

/// A network whose connections are redirected, perhaps of some ports alone.
///
/// This machine's own localhost is in no such network, however large: who connects to it means this machine. A network of
/// one address family has no address of the other, in whatever form it is written.
public struct NetworkRule: Sendable, Hashable {
  /// The network.
  public var network: IPNetwork
  /// The ports whose connections are redirected; empty for all.
  public var ports: Set<UInt16>
  /// Addresses of the network that are not redirected.
  private let exceptions: Set<AddressKey>

  /// A rule for the ports of a network.
  ///
  /// - Parameter exceptions: addresses that are not redirected. A network of a single address has none: it was named.
  public init(_ network: IPNetwork, ports: Set<UInt16> = [], except exceptions: Set<IPAddress> = []) {
    self.network = network
    self.ports = ports
    let isSingle = network.prefixLength == (network.address.isIPv4 ? 32 : 128)
    self.exceptions = isSingle ? [] : Set(exceptions.filter { network.contains($0) }.map { AddressKey($0) })
  }

  /// Whether connections to the address and port are redirected. Allocates nothing.
  public func matches(_ address: AddressKey, port: UInt16) -> Bool {
    (ports.isEmpty || ports.contains(port)) && network.contains(address)
      && address.isIPv4 == network.address.isIPv4 && !address.isThisMachine && !exceptions.contains(address)
  }
}

extension NetworkRule: Codable {
  private enum CodingKeys: CodingKey {
    case network, ports, exceptions
  }

  /// Reads a rule that another process has.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      try container.decode(IPNetwork.self, forKey: .network),
      ports: try container.decode(Set<UInt16>.self, forKey: .ports),
      except: Set(try container.decodeIfPresent([IPAddress].self, forKey: .exceptions) ?? []))
  }

  /// Writes the rule.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(network, forKey: .network)
    try container.encode(ports, forKey: .ports)
    try container.encode(exceptions.compactMap(\.address), forKey: .exceptions)
  }
}

extension AddressKey {
  /// Whether this is an IPv4 address.
  fileprivate var isIPv4: Bool { bits >> 32 == 0xffff }

  /// Whether this is a loopback address, or the one that connect(2) takes for it: all bits zero.
  fileprivate var isThisMachine: Bool {
    let mapped: UInt128 = 0xffff << 32
    return bits <= 1 || bits == mapped || bits >> 24 == mapped >> 24 | 127
  }
}
