internal import DevrunTunnel
internal import NIOCore
internal import NIOPosix

/// Answers the kubelet's probes on one port: HTTP/1.1, and the gRPC health protocol over HTTP/2 with prior knowledge. A
/// `tcpSocket` probe just connects.
///
/// Any pod of the cluster can connect here, so a connection gets little: a bounded time, bounded sizes, and one of a
/// bounded number of places, of which no address can take all.
struct ProbeListener: Sendable {
  private static let maximumConnections = 32
  /// A kubelet makes one connection for each of the three kinds of probes.
  private static let maximumOfOnePeer = 8
  private static let time = TimeAmount.seconds(2)

  let eventLoop: any EventLoop
  /// Whether a tunnel is attached; called on the event loop.
  let isReady: @Sendable () -> Bool

  /// Listens on a port of all addresses.
  func listen(port: Int) -> EventLoopFuture<any Channel> {
    let connections = NIOLoopBoundBox.makeBoxSendingValue(
      PeerConnections(Self.maximumConnections, share: Self.maximumOfOnePeer), eventLoop: eventLoop)
    return AnyAddress.listen(port: port, on: eventLoop) {
      ServerBootstrap(group: eventLoop)
        .serverChannelOption(.backlog, value: 64)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.recvAllocator, value: FixedSizeRecvByteBufferAllocator(capacity: 4 << 10))
        .childChannelOption(.maxMessagesPerRead, value: 1)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let deadline = channel.eventLoop.scheduleTask(in: Self.time) { channel.close(promise: nil) }
            channel.closeFuture.whenComplete { _ in deadline.cancel() }
            try channel.pipeline.syncOperations.addHandler(
              ProbeHandler(connections: connections.value, isReady: isReady))
          }
        }
    }
  }
}

/// Reads the first bytes of a connection: an HTTP/1.1 request is answered here, HTTP/2 by its own handlers.
private final class ProbeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let connections: PeerConnections
  private let isReady: @Sendable () -> Bool
  private var request = ProbeRequest()
  private var isAnswered = false

  init(connections: PeerConnections, isReady: @escaping @Sendable () -> Bool) {
    self.connections = connections
    self.isReady = isReady
  }

  func channelActive(context: ChannelHandlerContext) {
    if connections.admit(context.channel) { context.fireChannelActive() } else { isAnswered = true }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !isAnswered else { return }
    switch request.receive(unwrapInboundIn(data).readableBytesView) {
    case .needsMore: return
    case .http(let path): answer(path, context: context)
    case .http2(let bytes): upgrade(bytes, context: context)
    case .invalid:
      isAnswered = true
      context.close(promise: nil)
    }
  }

  private func answer(_ path: String, context: ChannelHandlerContext) {
    isAnswered = true
    let status =
      switch path {
      case "/alive": "200 OK"
      case "/ready": isReady() ? "200 OK" : "503 Service Unavailable"
      default: "404 Not Found"
      }
    let response = ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(response)).whenComplete { _ in channel.close(promise: nil) }
  }

  private func upgrade(_ bytes: [UInt8], context: ChannelHandlerContext) {
    isAnswered = true
    do {
      try GRPCHealth.add(to: context.channel, isReady: isReady)
      context.fireChannelRead(NIOAny(ByteBuffer(bytes: bytes)))
      context.fireChannelReadComplete()
      context.pipeline.syncOperations.removeHandler(self, promise: nil)
    } catch {
      context.close(promise: nil)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
