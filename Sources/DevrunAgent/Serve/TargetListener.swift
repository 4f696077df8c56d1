internal import DevrunTunnel
internal import Glibc
internal import NIOCore

/// Listens where the app would, for both IP versions if the pod has them.
struct TargetListener: Sendable {
  let eventLoop: any EventLoop
  let limits: ConnectionLimits
  /// Called with each connection, on the event loop, nothing read yet, and the port that it came to.
  let accept: @Sendable (any Channel, Int) -> Void

  /// Listens on one port.
  func listen(port: Int) -> EventLoopFuture<any Channel> {
    bind("::", port: port).flatMapError { error in
      // Without IPv6 in the kernel there is no such family, or no such address.
      guard let error = error as? IOError, [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode) else {
        return eventLoop.makeFailedFuture(error)
      }
      return bind("0.0.0.0", port: port)
    }
  }

  private func bind(_ address: String, port: Int) -> EventLoopFuture<any Channel> {
    eventLoop.makeCompletedFuture { try SocketAddress(ipAddress: address, port: port) }.flatMap { place in
      StreamSocket.listen(on: place, eventLoop: eventLoop, limits: limits, dualStack: true) { channel in
        accept(channel, channel.localAddress?.port ?? port)
      }
    }
  }
}
