internal import NIOCore

/// One side of a relayed connection: what it reads, the other side writes. A side is read only while the other can be
/// written to, and one that ends is half-closed on the other.
final class RelayHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var context: ChannelHandlerContext?
  private var partner: RelayHandler?
  private var wantsToRead = false

  private init() {}

  /// The two sides of a connection. Both must be on one event loop.
  static func pair() -> (RelayHandler, RelayHandler) {
    let (first, second) = (RelayHandler(), RelayHandler())
    first.partner = second
    second.partner = first
    return (first, second)
  }

  private var isWritable: Bool { context?.channel.isWritable ?? false }

  private func resumeReading() {
    guard wantsToRead else { return }
    wantsToRead = false
    context?.read()
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { partner?.resumeReading() }
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    partner = nil
  }

  func channelActive(context: ChannelHandlerContext) {
    context.fireChannelActive()
    partner?.resumeReading()
  }

  func read(context: ChannelHandlerContext) {
    if let partner, partner.isWritable { context.read() } else { wantsToRead = true }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    partner?.context?.write(NIOAny(unwrapInboundIn(data)), promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) { partner?.context?.flush() }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { partner?.resumeReading() }
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if let event = event as? ChannelEvent, event == .inputClosed {
      partner?.context?.close(mode: .output, promise: nil)
    }
    context.fireUserInboundEventTriggered(event)
  }

  func channelInactive(context: ChannelHandlerContext) {
    partner?.context?.close(promise: nil)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A connection that breaks on one side breaks on both; nobody but its two ends has to hear of it.
    context.close(promise: nil)
  }
}
