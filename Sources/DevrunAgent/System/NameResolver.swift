internal import CNSS
internal import DevrunSystem
internal import DevrunTunnel
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// Resolves names as the container does, off the event loop.
struct NameResolver: Sendable {
  private let threads: NIOThreadPool

  /// A resolver that uses these threads, which must have been started.
  init(threads: NIOThreadPool) { self.threads = threads }

  /// Keeps glibc from loading modules of the app's image.
  ///
  /// A static glibc loads the modules that the image's nsswitch.conf names with the image's own glibc, which may be of
  /// any version or missing. To be called once, before the first name is resolved.
  static func useFilesAndDNSOnly() -> Bool { __nss_configure_lookup("hosts", "files dns") == 0 }

  /// The addresses of a host, in the order in which they are to be tried.
  func resolve(_ authority: Authority, on eventLoop: any EventLoop) -> EventLoopFuture<
    Result<[SocketAddress], DialFailure>
  > {
    threads.runIfActive(eventLoop: eventLoop) { Self.lookUp(authority) }
      .flatMapErrorThrowing { _ in .failure(.refused("the agent is ending")) }
  }

  private static func lookUp(_ authority: Authority) -> Result<[SocketAddress], DialFailure> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    hints.ai_flags = AI_ADDRCONFIG
    var list: UnsafeMutablePointer<addrinfo>?
    let status = getaddrinfo(authority.host, String(authority.port), &hints, &list)
    guard status == 0 else { return .failure(failure(status, .last)) }
    defer { freeaddrinfo(list) }
    var addresses: [SocketAddress] = []
    var next = list
    while let info = next {
      if let address = address(info.pointee) { addresses.append(address) }
      next = info.pointee.ai_next
    }
    return addresses.isEmpty ? .failure(.nameNotFound) : .success(addresses)
  }

  private static func address(_ info: addrinfo) -> SocketAddress? {
    switch info.ai_family {
    case AF_INET: info.ai_addr?.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { SocketAddress($0.pointee) }
    case AF_INET6: info.ai_addr?.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { SocketAddress($0.pointee) }
    default: nil
    }
  }

  private static func failure(_ status: Int32, _ error: Errno) -> DialFailure {
    switch status {
    case EAI_AGAIN: .nameUnavailable
    case EAI_SYSTEM: .connect(error)
    case EAI_MEMORY: .connect(.outOfMemory)
    default: .nameNotFound
    }
  }
}
