internal import DevrunKube
internal import DevrunTunnel
internal import NIOCore

/// Makes the channel of a port-forward the far side of a relay (`Relay.join`, `farEndsWhole`).
///
/// The protocol has no half-close. When this side has ended, the far end does not learn of it: what it still sends is
/// passed on, and once nothing has come for some time the channel is closed.
final class PortForwardStream: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// How long a far end may be silent once this side has ended.
  static let patience = TimeAmount.seconds(10)

  /// The channel closed without a word: RFC 6455 section 7.1.5.
  private static let cut = PortForwardError.closed(code: 1006, reason: "without a word")

  private let patience: TimeAmount
  private let failed: (any Error) -> Void
  private var hasEnded = false
  private var hasFailed = false
  private var silence: Scheduled<Void>?
  private var isOutputClosed = false

  /// - Parameter failed: called with what breaks the connection, on the event loop.
  init(patience: TimeAmount = PortForwardStream.patience, failed: @escaping (any Error) -> Void) {
    self.patience = patience
    self.failed = failed
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isOutputClosed { awaitSilence(context) }
    context.fireChannelRead(data)
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event is PortForwardEnd { hasEnded = true }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context) }

  func channelInactive(context: ChannelHandlerContext) {
    silence?.cancel()
    if !hasEnded { fail(Self.cut, context) }
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) { silence?.cancel() }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    isOutputClosed = true
    awaitSilence(context)
    promise?.succeed()
  }

  func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard event is StreamReset else { return context.triggerUserOutboundEvent(event, promise: promise) }
    // Whoever resets knows why.
    hasEnded = true
    context.close(promise: promise)
  }

  private func awaitSilence(_ context: ChannelHandlerContext) {
    silence?.cancel()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    silence = context.eventLoop.scheduleTask(in: patience) {
      let (handler, context) = bound.value
      handler.hasEnded = true
      context.close(promise: nil)
    }
  }

  private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
    guard !hasFailed, !hasEnded else { return }
    hasFailed = true
    failed(error)
    context.fireErrorCaught(error)
  }
}
