package import NIOCore

extension ByteBuffer {
  /// The same bytes in memory of their own size, if these take much more.
  ///
  /// NIO reads into buffers of a size that it guesses, and what waits in one for its receiver keeps all of it.
  func compact() -> ByteBuffer {
    storageCapacity > 2 * readableBytes ? ByteBuffer(bytes: readableBytesView) : self
  }
}

/// Keeps what waits on a connection's streams from holding more memory than it has bytes: the first handler of a
/// connection whose process has little memory.
package final class CompactingHandler: ChannelInboundHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = ByteBuffer

  package init() {}

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    context.fireChannelRead(wrapInboundOut(unwrapInboundIn(data).compact()))
  }
}
