internal import DevrunTunnel
internal import NIOCore
internal import NIOPosix

/// Sends an archive as fast as the peer takes it: a piece is read, on another thread, when the one before has left.
final class ArchiveSendHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let source: any ArchivePieces
  private let threads: NIOThreadPool
  private var isReading = false
  private var isOver = false

  init(source: any ArchivePieces, threads: NIOThreadPool) {
    self.source = source
    self.threads = threads
  }

  func handlerAdded(context: ChannelHandlerContext) { sendNext(context: context) }

  func handlerRemoved(context: ChannelHandlerContext) { isOver = true }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    sendNext(context: context)
    context.fireChannelWritabilityChanged()
  }

  private func sendNext(context: ChannelHandlerContext) {
    guard !isReading, !isOver, context.channel.isWritable else { return }
    isReading = true
    let source = source
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    threads.runIfActive(eventLoop: context.eventLoop) { try source.next() }.whenComplete { result in
      let (handler, context) = bound.value
      handler.isReading = false
      guard !handler.isOver else { return }
      switch result {
      case .success(let bytes?):
        context.writeAndFlush(handler.wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
        handler.sendNext(context: context)
      case .success(nil):
        handler.isOver = true
        context.close(mode: .output, promise: nil)
      case .failure:
        // An archive without its end is told from a whole one.
        handler.isOver = true
        context.close(promise: nil)
      }
    }
  }
}
