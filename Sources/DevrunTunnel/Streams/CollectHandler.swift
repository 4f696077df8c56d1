internal import NIOCore

/// Collects a byte stream to its end.
final class CollectHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  /// There is more than was allowed.
  struct TooLarge: Error {}

  private let limit: Int
  private let result: EventLoopPromise<ByteBuffer>
  private var collected = ByteBuffer()

  init(limit: Int, result: EventLoopPromise<ByteBuffer>) {
    self.limit = limit
    self.result = result
  }

  func handlerAdded(context: ChannelHandlerContext) { context.channel.read() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    guard collected.readableBytes + buffer.readableBytes <= limit else {
      result.fail(TooLarge())
      return context.close(promise: nil)
    }
    collected.writeBuffer(&buffer)
  }

  func channelReadComplete(context: ChannelHandlerContext) { context.read() }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed { result.succeed(collected) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { result.fail(error) }

  func channelInactive(context: ChannelHandlerContext) { result.fail(DialError.tunnelClosed) }

  func handlerRemoved(context: ChannelHandlerContext) { result.fail(DialError.tunnelClosed) }
}
