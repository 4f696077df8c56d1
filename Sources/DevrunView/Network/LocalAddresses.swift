internal import DevrunCore

/// The local addresses that stand for names of the cluster.
///
/// Each name has an IPv4 address of the loopback network, so that the program needs no route, and an IPv6 address for
/// programs that ask for IPv6. Connections to that never leave the launcher's trap, so any network would do. It is one of
/// the site-local addresses that RFC 3879 took out of use: resolvers compare scopes before all else (RFC 6724, rule 2), so
/// they return the IPv4 address first on each machine, whatever addresses the machine has.
enum LocalAddresses {
  /// The first 12 bytes of each IPv6 address. The last 4 are the name's IPv4 address.
  private static let prefix6: [UInt8] = [0xfe, 0xc0, 0x64, 0x65, 0x76, 0x72, 0x75, 0x6e, 0, 0, 0, 0]

  /// The network of the IPv6 addresses.
  static let network6: IPNetwork? = IPAddress(bytes: prefix6 + [0, 0, 0, 0]).flatMap {
    IPNetwork($0, prefixLength: 96)
  }

  /// The IPv4 address of a number, of 127.77.0.0/16 and on: apart from those that resolvers and distributions use.
  static func address(_ number: Int) -> IPAddress {
    let (high, low) = (77 + number / 64516, number % 64516)
    return IPAddress(127, UInt8(high), UInt8(low / 254), UInt8(low % 254 + 1))
  }

  /// The IPv6 address that goes with an IPv4 address.
  static func address6(of address: IPAddress) -> IPAddress? {
    address.isIPv4 ? IPAddress(bytes: prefix6 + address.bytes) : nil
  }

  /// The IPv4 address that an IPv6 address goes with.
  static func address4(of address: IPAddress) -> IPAddress? {
    address.bytes.count == 16 && address.bytes.starts(with: prefix6) ? IPAddress(bytes: address.bytes.suffix(4)) : nil
  }
}
