public import DevrunCore
import Synchronization

/// The addresses that connections are redirected from: those of the session's services, and networks of the cluster. May
/// be changed at any time, by anyone.
public final class RedirectTable: Sendable {
  private struct Entries {
    var addresses: Set<AddressKey> = []
    var networks: [(base: AddressKey, mask: UInt128)] = []
  }

  private let entries = Mutex(Entries())

  /// A table of the given addresses and networks.
  public init(addresses: some Sequence<IPAddress> = [], networks: some Sequence<IPNetwork> = []) {
    replace(addresses: addresses, networks: networks)
  }

  /// Puts other addresses and networks in the place of all that there are.
  public func replace(addresses: some Sequence<IPAddress>, networks: some Sequence<IPNetwork>) {
    let addresses = Set(addresses.map { AddressKey($0) })
    let networks = networks.map { network in
      let mask = network.mask
      return (base: AddressKey(bits: AddressKey(network.address).bits & mask), mask: mask)
    }
    entries.withLock {
      $0.addresses = addresses
      $0.networks = networks
    }
  }

  /// Adds an address.
  public func insert(_ address: IPAddress) {
    entries.withLock { _ = $0.addresses.insert(AddressKey(address)) }
  }

  /// Removes an address. One that is in a network of the table stays covered by that.
  public func remove(_ address: IPAddress) {
    entries.withLock { _ = $0.addresses.remove(AddressKey(address)) }
  }

  /// Whether connections to the address are redirected.
  public func contains(_ address: IPAddress) -> Bool { contains(AddressKey(address)) }

  /// Whether connections to the address are redirected. This is asked for each connect of the child, and allocates
  /// nothing.
  func contains(_ address: AddressKey) -> Bool {
    entries.withLock { entries in
      if entries.addresses.contains(address) { return true }
      for network in entries.networks where address.bits & network.mask == network.base.bits { return true }
      return false
    }
  }
}

/// All addresses that share their first bits, as in `10.96.0.0/12`.
public struct IPNetwork: Sendable, Hashable, CustomStringConvertible {
  /// An address of the network.
  public var address: IPAddress
  /// How many bits its addresses share: up to 32 for IPv4, up to 128 for IPv6.
  public var prefixLength: Int

  /// The network of the address. `nil` if the length is out of range.
  public init?(_ address: IPAddress, prefixLength: Int) {
    guard (0...(address.isIPv4 ? 32 : 128)).contains(prefixLength) else { return nil }
    self.address = address
    self.prefixLength = prefixLength
  }

  /// Reads `ADDRESS/LENGTH`, the notation of RFC 4632 and RFC 4291.
  public init?(_ text: String) {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    guard parts.count == 2, let address = IPAddress(String(parts[0])), let length = Int(parts[1]) else { return nil }
    self.init(address, prefixLength: length)
  }

  /// `ADDRESS/LENGTH`.
  public var description: String { "\(address)/\(prefixLength)" }

  /// The bits that its addresses share, in the form of `AddressKey`.
  fileprivate var mask: UInt128 {
    let length = address.isIPv4 ? prefixLength + 96 : prefixLength
    return length == 0 ? 0 : UInt128.max << (128 - length)
  }
}

/// An address as one number, to compare without allocating: IPv6's 128 bits, for IPv4 those of the mapped form.
struct AddressKey: Hashable, Sendable {
  var bits: UInt128

  init(bits: UInt128) { self.bits = bits }

  init(_ address: IPAddress) {
    bits = address.bytes.reduce(address.isIPv4 ? 0xffff : 0) { $0 << 8 | UInt128($1) }
  }

  /// The address.
  var address: IPAddress? {
    IPAddress(bytes: stride(from: 120, through: 0, by: -8).map { UInt8(truncatingIfNeeded: bits >> UInt128($0)) })
  }
}
