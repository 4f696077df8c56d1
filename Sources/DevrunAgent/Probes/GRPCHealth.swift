internal import DevrunTunnel
internal import NIOCore
internal import NIOHPACK
internal import NIOHTTP2

/// The gRPC health protocol (https://github.com/grpc/grpc/blob/master/doc/health-checking.md), as far as a probe asks:
/// `Check` of one service. `ready` is serving while a tunnel is attached, each other one always.
enum GRPCHealth {
  /// The longest request's message, in bytes.
  fileprivate static let maximumMessage = 1 << 10

  /// Adds HTTP/2 to a connection whose first bytes follow. On the channel's event loop.
  static func add(to channel: any Channel, isReady: @escaping @Sendable () -> Bool) throws {
    var connection = NIOHTTP2Handler.ConnectionConfiguration()
    connection.initialSettings = [
      HTTP2Setting(parameter: .maxConcurrentStreams, value: 4),
      HTTP2Setting(parameter: .initialWindowSize, value: 16 << 10),
      HTTP2Setting(parameter: .maxHeaderListSize, value: 8 << 10),
    ]
    let handler = NIOHTTP2Handler(
      mode: .server, eventLoop: channel.eventLoop, connectionConfiguration: connection,
      streamConfiguration: NIOHTTP2Handler.StreamConfiguration()
    ) { stream in
      stream.eventLoop.makeCompletedFuture {
        try stream.pipeline.syncOperations.addHandler(HealthHandler(isReady: isReady))
      }
    }
    try channel.pipeline.syncOperations.addHandlers(handler, ConnectionEndHandler { _ in })
  }

  /// Whether a request's message asks after the service `ready`: field 1 of the message, a string, behind gRPC's prefix of
  /// five bytes.
  static func asksForReadiness(_ message: [UInt8]) -> Bool {
    message.dropFirst(5).elementsEqual([0x0a, 5] + Array("ready".utf8))
  }

  /// The message of an answer, with its prefix: field 1, an enumeration with SERVING as 1 and NOT_SERVING as 2.
  static func answer(isServing: Bool) -> [UInt8] { [0, 0, 0, 0, 2, 0x08, isServing ? 1 : 2] }
}

/// Answers one request.
private final class HealthHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame.FramePayload
  typealias OutboundOut = HTTP2Frame.FramePayload

  private let isReady: @Sendable () -> Bool
  private var isCheck = false
  private var message: [UInt8] = []

  init(isReady: @escaping @Sendable () -> Bool) { self.isReady = isReady }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .headers(let headers):
      if let path = headers.headers.first(name: ":path") { isCheck = path == "/grpc.health.v1.Health/Check" }
      if headers.endStream { answer(context: context) }
    case .data(let data):
      if case .byteBuffer(let buffer) = data.data { message += buffer.readableBytesView }
      if message.count > GRPCHealth.maximumMessage { return context.close(promise: nil) }
      if data.endStream { answer(context: context) }
    default: break
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func answer(context: ChannelHandlerContext) {
    let head: HPACKHeaders = [":status": "200", "content-type": "application/grpc"]
    guard isCheck else {
      // UNIMPLEMENTED
      var headers = head
      headers.add(name: "grpc-status", value: "12")
      return context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: headers, endStream: true))), promise: nil)
    }
    let isServing = !GRPCHealth.asksForReadiness(message) || isReady()
    let answer = ByteBuffer(bytes: GRPCHealth.answer(isServing: isServing))
    context.write(wrapOutboundOut(.headers(.init(headers: head))), promise: nil)
    context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(answer)))), promise: nil)
    let trailers: HPACKHeaders = ["grpc-status": "0"]
    context.writeAndFlush(wrapOutboundOut(.headers(.init(headers: trailers, endStream: true))), promise: nil)
  }
}
