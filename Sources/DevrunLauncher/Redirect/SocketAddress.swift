import DevrunCore
import DevrunSystem
import Glibc

/// Reading and making the kernel's socket addresses.
enum SocketAddress {
  /// The longest that is of interest: a path's.
  static let room = MemoryLayout<sockaddr_un>.size

  /// The address family, address and port in the bytes of an IPv4 or IPv6 socket address. `nil` for any other family, or
  /// if there are too few bytes. Allocates nothing.
  static func read(_ bytes: UnsafeRawBufferPointer) -> (family: Int32, address: AddressKey, port: UInt16)? {
    guard bytes.count >= MemoryLayout<sa_family_t>.size else { return nil }
    switch Int32(bytes.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET where bytes.count >= MemoryLayout<sockaddr_in>.size:
      let address = bytes.loadUnaligned(as: sockaddr_in.self)
      let bits = UInt128(UInt32(bigEndian: address.sin_addr.s_addr))
      return (AF_INET, AddressKey(bits: 0xffff << 32 | bits), UInt16(bigEndian: address.sin_port))
    // The kernel takes addresses without the scope, which RFC 2133 did not have.
    case AF_INET6 where bytes.count >= 24:
      let bits = UInt128(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt128.self))
      return (
        AF_INET6, AddressKey(bits: bits), UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
      )
    default:
      return nil
    }
  }

  /// Calls the body with the endpoint as a socket of the family takes it; IPv4 in its mapped form for an IPv6 socket.
  /// `nil`: the family has no form for it.
  static func withEndpoint<Result>(
    _ endpoint: IPEndpoint, family: Int32, _ body: (UnsafePointer<sockaddr>, socklen_t) throws(Errno) -> Result
  ) throws(Errno) -> Result {
    var storage = sockaddr_storage()
    let length: Int
    switch family {
    case AF_INET where endpoint.address.isIPv4:
      length = MemoryLayout<sockaddr_in>.size
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: sa_family_t(AF_INET), as: sa_family_t.self)
        bytes.storeBytes(of: endpoint.port.bigEndian, toByteOffset: 2, as: UInt16.self)
        for (index, byte) in endpoint.address.bytes.enumerated() { bytes[4 + index] = byte }
      }
    case AF_INET6:
      length = MemoryLayout<sockaddr_in6>.size
      withUnsafeMutableBytes(of: &storage) { bytes in
        bytes.storeBytes(of: sa_family_t(AF_INET6), as: sa_family_t.self)
        bytes.storeBytes(of: endpoint.port.bigEndian, toByteOffset: 2, as: UInt16.self)
        bytes.storeBytes(of: AddressKey(endpoint.address).bits.bigEndian, toByteOffset: 8, as: UInt128.self)
      }
    default:
      throw .addressFamilyNotSupported
    }
    return try withUnsafePointer(to: &storage) { (storage) throws(Errno) in
      try storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { (address) throws(Errno) in
        try body(address, socklen_t(length))
      }
    }
  }
}
