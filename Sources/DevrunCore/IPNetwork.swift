/// All addresses that share their first bits, as in `10.96.0.0/12`.
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
  /// An address of the network.
  public let address: IPAddress
  /// How many bits its addresses share: up to 32 for IPv4, up to 128 for IPv6.
  public let prefixLength: Int
  private let mask: UInt128
  private let base: UInt128

  /// The network of the address. `nil` if the length is out of range.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...(address.isIPv4 ? 32 : 128)).contains(prefixLength) else { return nil }
    self.address = address
    self.prefixLength = prefixLength
    let bits = address.isIPv4 ? prefixLength + 96 : prefixLength
    mask = bits == 0 ? 0 : UInt128.max << (128 - bits)
    base = AddressKey(address).bits & mask
  }

  /// Reads `ADDRESS/LENGTH`, the notation of RFC 4632 and RFC 4291.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]) else { return nil }
    self.init(address, prefixLength: length)
  }

  /// `ADDRESS/LENGTH`.
  public var description: String { "\(address)/\(prefixLength)" }

  /// Whether an address is one of the network's. An IPv4 address is in the IPv6 networks that hold its mapped form.
  public func contains(_ address: IPAddress) -> Bool { contains(AddressKey(address)) }

  /// Whether an address is one of the network's. Allocates nothing.
  public func contains(_ address: AddressKey) -> Bool { address.bits & mask == base }
}

extension IPNetwork: Codable {
  /// Reads the textual form.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let network = IPNetwork(text) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "'\(text)' is no IP network")
    }
    self = network
  }

  /// Writes the textual form.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(description)
  }
}

/// An address as one number, to compare without allocating: the 128 bits of IPv6, and for IPv4 those of the mapped form.
public struct AddressKey: Hashable, Sendable {
  /// The bits, the first of the address highest.
  public var bits: UInt128

  /// The key of the given bits.
  public init(bits: UInt128) { self.bits = bits }

  /// The key of an address.
  public init(_ address: IPAddress) {
    bits = address.bytes.reduce(address.isIPv4 ? 0xffff : 0) { $0 << 8 | UInt128($1) }
  }

  /// The address.
  public var address: IPAddress? {
    IPAddress(bytes: stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: bits >> UInt128($0)) })
  }
}
