internal import DevrunTunnel
internal import NIOCore
internal import NIOPosix

/// Takes devrun's connections, which come from port-forwards and so from this pod's own loopback.
///
/// Any process of the pod can connect here, so strangers get little: a bounded time, a bounded preface, and a bounded
/// number of places, where the newest takes the place of the one that has said nothing for longest.
struct ControlListener: Sendable {
  private static let maximumPending = 8
  private static let prefaceTimeout = TimeAmount.seconds(5)

  let digest: SecretDigest
  let limits: ConnectionLimits
  /// Adds HTTP/2 to a connection that showed the secret; called on the event loop.
  let attach: @Sendable (Preface, any Channel) throws -> Void

  /// Listens on 127.0.0.1.
  func listen(port: Int, on eventLoop: any EventLoop) -> EventLoopFuture<any Channel> {
    let places = ConnectionPlaces(Self.maximumPending, on: eventLoop)
    let allocator = AdaptiveRecvByteBufferAllocator(minimum: 4 << 10, initial: 8 << 10, maximum: limits.frameSize)
    return ServerBootstrap(group: eventLoop)
      .serverChannelOption(.backlog, value: 64)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelOption(.recvAllocator, value: allocator)
      .childChannelOption(.maxMessagesPerRead, value: 2)
      .childChannelOption(.writeBufferWaterMark, value: .init(low: 64 << 10, high: 256 << 10))
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          places.take(channel)
          let handler = PrefaceServerHandler(digest: digest, timeout: Self.prefaceTimeout) { preface, channel in
            places.leave(channel)
            try attach(preface, channel)
          }
          try channel.pipeline.syncOperations.addHandler(handler)
        }
      }
      .bind(host: "127.0.0.1", port: port)
  }
}
