internal import Glibc
internal import NIOCore
internal import NIOPosix

/// All addresses of the pod, of both IP versions if it has them.
enum AnyAddress {
  /// Listens on a port of all addresses.
  ///
  /// - Parameter bind: listens on one address; `::` stands for both versions.
  static func listen(
    port: Int, on eventLoop: any EventLoop, bind: @escaping @Sendable (SocketAddress) -> EventLoopFuture<any Channel>
  ) -> EventLoopFuture<any Channel> {
    @Sendable func listen(_ address: String) -> EventLoopFuture<any Channel> {
      eventLoop.makeCompletedFuture { try SocketAddress(ipAddress: address, port: port) }.flatMap(bind)
    }
    return listen("::").flatMapError { error in
      // Without IPv6 in the kernel there is no such family, or no such address.
      guard let error = error as? IOError, [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) else {
        return eventLoop.makeFailedFuture(error)
      }
      return listen("0.0.0.0")
    }
  }

  /// Listens on a port of all addresses.
  static func listen(
    port: Int, on eventLoop: any EventLoop, by bootstrap: @escaping @Sendable () -> ServerBootstrap
  ) -> EventLoopFuture<any Channel> {
    listen(port: port, on: eventLoop) { address in
      guard address.protocol == .inet6 else { return bootstrap().bind(to: address) }
      let option = ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only)
      return bootstrap().serverChannelOption(option, value: 0).bind(to: address)
    }
  }
}
