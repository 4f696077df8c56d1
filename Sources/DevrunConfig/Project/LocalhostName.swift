internal import DevrunCore

/// The ways to write the machine that a program runs on.
enum LocalhostName {
  /// Whether a host is `localhost`, a name below it (RFC 6761 section 6.3) or a loopback address.
  static func matches(_ host: String) -> Bool {
    if let address = IPAddress(host) { return matches(address) }
    let name = host.lowercased()
    return name == "localhost" || name.hasSuffix(".localhost")
  }

  /// Whether an address is a loopback address, or the one that connect(2) takes for it: all bits zero.
  static func matches(_ address: IPAddress) -> Bool {
    address.isLoopback || address.bytes.allSatisfy { $0 == 0 }
  }
}
