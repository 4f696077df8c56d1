/// An IP address and a TCP or UDP port.
public struct IPEndpoint: Sendable, Hashable, CustomStringConvertible, Codable {
  /// The address.
  public var address: IPAddress
  /// The port, in the machine's order.
  public var port: UInt16

  /// An endpoint of the two.
  public init(_ address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// `address:port`, with an IPv6 address in brackets.
  public var description: String { address.isIPv4 ? "\(address):\(port)" : "[\(address)]:\(port)" }
}
