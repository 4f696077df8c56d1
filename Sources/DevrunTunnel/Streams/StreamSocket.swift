package import NIOCore
internal import NIOPosix

/// What is set on every TCP connection that is relayed.
package enum StreamSocket {
  static func configure(_ bootstrap: ClientBootstrap, limits: ConnectionLimits) -> ClientBootstrap {
    bootstrap
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelOption(.maxMessagesPerRead, value: 1)
      .channelOption(.recvAllocator, value: allocator(limits))
      .channelOption(.writeBufferWaterMark, value: waterMark(limits))
      .channelOption(.socketOption(.so_rcvbuf), value: limits.socketBuffer)
      .channelOption(.socketOption(.so_sndbuf), value: limits.socketBuffer)
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
  }

  /// The same for the connections that a listener accepts; the listener's own options are the caller's.
  static func configure(_ bootstrap: ServerBootstrap, limits: ConnectionLimits) -> ServerBootstrap {
    bootstrap
      .serverChannelOption(.backlog, value: 4096)
      // Accepted sockets inherit them; set on those it would come after the window was announced: tcp(7).
      .serverChannelOption(.socketOption(.so_rcvbuf), value: limits.socketBuffer)
      .serverChannelOption(.socketOption(.so_sndbuf), value: limits.socketBuffer)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelOption(.maxMessagesPerRead, value: 1)
      .childChannelOption(.recvAllocator, value: allocator(limits))
      .childChannelOption(.writeBufferWaterMark, value: waterMark(limits))
      .childChannelOption(.socketOption(.so_keepalive), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
  }

  /// Listens for connections that are to be joined to streams. `accept` gets each on the event loop, nothing read yet.
  package static func listen(
    on address: SocketAddress, eventLoop: any EventLoop, limits: ConnectionLimits, dualStack: Bool = false,
    accept: @escaping @Sendable (any Channel) -> Void
  ) -> EventLoopFuture<any Channel> {
    var bootstrap = configure(ServerBootstrap(group: eventLoop), limits: limits)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(SocketStreamHandler())
          try channel.pipeline.syncOperations.addHandler(ActiveHandler(accept))
        }
      }
    if address.protocol == .inet6 {
      bootstrap = bootstrap.serverChannelOption(
        ChannelOptions.Types.SocketOption(level: .ipv6, name: .ipv6_v6only), value: dualStack ? 0 : 1)
    }
    return bootstrap.bind(to: address)
  }

  private static func allocator(_ limits: ConnectionLimits) -> AdaptiveRecvByteBufferAllocator {
    AdaptiveRecvByteBufferAllocator(minimum: 2 << 10, initial: 8 << 10, maximum: limits.readSize)
  }

  private static func waterMark(_ limits: ConnectionLimits) -> ChannelOptions.Types.WriteBufferWaterMark {
    .init(low: limits.outboundBuffer / 2, high: limits.outboundBuffer)
  }
}

/// Hands an accepted channel on once it is active: before that, NIO can neither write to it nor reset it.
private final class ActiveHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer

  private let accept: @Sendable (any Channel) -> Void

  init(_ accept: @escaping @Sendable (any Channel) -> Void) { self.accept = accept }

  func channelActive(context: ChannelHandlerContext) {
    context.fireChannelActive()
    accept(context.channel)
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
