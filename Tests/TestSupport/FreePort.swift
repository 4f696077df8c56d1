internal import Glibc

/// A TCP port that nothing listens on, on any address of this machine.
///
/// - Throws: ``TestFailure`` if there is none.
public func freePort() throws -> Int {
  let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in6()
  address.sin6_family = sa_family_t(AF_INET6)
  var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
  let result = withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
    }
  }
  guard descriptor >= 0, result == 0 else { throw TestFailure("no free port: \(String(cString: strerror(errno)))") }
  return Int(in_port_t(bigEndian: address.sin6_port))
}
