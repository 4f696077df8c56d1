internal import Glibc
internal import Synchronization

/// A TCP port that nothing listens on, on any address of this machine; another one with each call.
///
/// It lies below the ports that the kernel chooses by itself (`ip_local_port_range`, ip(7)), so no other test that
/// listens or connects at the same time gets it in between.
///
/// - Throws: ``TestFailure`` if there is none.
public func freePort() throws -> Int {
  for _ in 0..<1_000 {
    let port = UInt16.random(in: 15_000..<20_000)
    if canListen(at: port), given.withLock({ $0.insert(port).inserted }) { return Int(port) }
  }
  throw TestFailure("there is no free port")
}

/// The ports that this process was given.
private let given = Mutex<Set<UInt16>>([])

private func canListen(at port: UInt16) -> Bool {
  let descriptor = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
  defer { close(descriptor) }
  var address = sockaddr_in6()
  address.sin6_family = sa_family_t(AF_INET6)
  address.sin6_port = port.bigEndian
  return withUnsafeMutablePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
    }
  }
}
