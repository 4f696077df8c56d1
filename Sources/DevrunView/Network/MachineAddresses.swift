internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The addresses of this machine's own network interfaces.
enum MachineAddresses {
  /// Reads the addresses that the interfaces have now.
  ///
  /// - Throws: the error of getifaddrs(3).
  static func read() throws(Errno) -> Set<IPAddress> {
    var first: UnsafeMutablePointer<ifaddrs>?
    try system { getifaddrs(&first) }
    defer { freeifaddrs(first) }
    var addresses: Set<IPAddress> = []
    var next = first
    while let interface = next {
      if let address = interface.pointee.ifa_addr.flatMap(Self.address) { addresses.insert(address) }
      next = interface.pointee.ifa_next
    }
    return addresses
  }

  /// Whether programs of this machine can make sockets for IPv6.
  static var hasIPv6Sockets: Bool {
    let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    close(descriptor)
    return true
  }

  private static func address(_ pointer: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
    let raw = UnsafeRawPointer(pointer)
    switch Int32(pointer.pointee.sa_family) {
    case AF_INET:
      let address = raw.loadUnaligned(as: sockaddr_in.self).sin_addr
      return withUnsafeBytes(of: address) { IPAddress(bytes: $0) }
    case AF_INET6:
      let address = raw.loadUnaligned(as: sockaddr_in6.self).sin6_addr
      return withUnsafeBytes(of: address) { IPAddress(bytes: $0) }
    default: return nil
    }
  }
}
