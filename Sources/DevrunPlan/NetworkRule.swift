public import DevrunCore

/// A network whose connections are redirected, perhaps of some ports alone.
///
/// This machine's own localhost is in no such network, however large: who connects to it means this machine.
public struct NetworkRule: Sendable, Hashable, Codable {
  /// The network.
  public var network: IPNetwork
  /// The ports whose connections are redirected; empty for all.
  public var ports: Set<UInt16>

  /// A rule for the ports of a network.
  public init(_ network: IPNetwork, ports: Set<UInt16> = []) {
    self.network = network
    self.ports = ports
  }

  /// Whether connections to the address and port are redirected. Allocates nothing.
  public func matches(_ address: AddressKey, port: UInt16) -> Bool {
    (ports.isEmpty || ports.contains(port)) && network.contains(address) && !address.isThisMachine
  }
}

extension AddressKey {
  /// Whether this is a loopback address, or the one that connect(2) takes for it: all bits zero.
  fileprivate var isThisMachine: Bool {
    let mapped: UInt128 = 0xffff << 32
    return bits <= 1 || bits == mapped || bits >> 24 == mapped >> 24 | 127
  }
}
