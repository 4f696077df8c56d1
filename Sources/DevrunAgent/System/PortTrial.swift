internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Finds out on which ports this container's user may not listen: ports below 1024 mostly, unless the container runtime
/// opens them to all (`net.ipv4.ip_unprivileged_port_start`) or the user has CAP_NET_BIND_SERVICE. An app may have that
/// capability from its own file, which the agent has not.
enum PortTrial {
  /// Whether a socket may not be bound to the port. A port that is in use is not forbidden.
  static func isForbidden(_ port: Int) -> Bool {
    guard let port = UInt16(exactly: port) else { return false }
    do throws(Errno) {
      try bind(to: port)
      return false
    } catch {
      return error == .accessDenied || error == .notPermitted
    }
  }

  private static func bind(to port: UInt16) throws(Errno) {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let socket = Descriptor(try system { Glibc.socket(AF_INET, type, 0) })
    defer { socket.close() }
    // struct sockaddr_in of ip(7): family, port in network order, and the address 0.0.0.0.
    let family = withUnsafeBytes(of: sa_family_t(AF_INET)) { Array($0) }
    let address = family + [UInt8(port >> 8), UInt8(port & 0xff)] + [UInt8](repeating: 0, count: 12)
    _ = try system {
      address.withUnsafeBytes { bytes in
        Glibc.bind(socket.number, bytes.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t(bytes.count))
      }
    }
  }
}
