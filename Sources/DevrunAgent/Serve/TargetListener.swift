internal import DevrunTunnel
internal import NIOCore

/// Listens where the app would, for both IP versions if the pod has them.
struct TargetListener: Sendable {
  let eventLoop: any EventLoop
  let limits: ConnectionLimits
  /// Called with each connection, on the event loop, nothing read yet, and the port that it came to.
  let accept: @Sendable (any Channel, Int) -> Void

  /// Listens on one port.
  func listen(port: Int) -> EventLoopFuture<any Channel> {
    AnyAddress.listen(port: port, on: eventLoop) { address in
      StreamSocket.listen(on: address, eventLoop: eventLoop, limits: limits, dualStack: true) { channel in
        accept(channel, channel.localAddress?.port ?? port)
      }
    }
  }
}
