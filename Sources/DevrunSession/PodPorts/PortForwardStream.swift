internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel
internal import NIOCore

/// Makes the channel of a port-forward the far side of a relay (`Relay.join`, `farEndsWhole`).
///
/// The protocol has no half-close. When this side has ended, the far end does not learn of it: what it still sends is
/// passed on. Once nothing has come for some time the connection breaks, since nobody can tell whether that was all. If
/// nobody is left on this side, the channel is only closed.
final class PortForwardStream: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// How long a far end may be silent once this side has ended.
  static let patience = Duration.seconds(60)
  /// After how long a silence this side is looked at.
  private static let step = Duration.seconds(10)

  /// The channel closed without a word: RFC 6455 section 7.1.5.
  private static let cut = PortForwardError.closed(code: 1006, reason: "without a word")

  private let isNearGone: () -> Bool
  private let failed: (any Error) -> Void
  private var hasEnded = false
  private var hasFailed = false
  private var silence: Scheduled<Void>?
  private var isOutputClosed = false
  /// Whether somebody waits for what the far end sends. If not, its silence means nothing.
  private var isReadWanted = false

  /// - Parameters:
  ///   - isNearGone: whether nobody is left on this side. It is asked on the event loop, once this side has ended.
  ///   - failed: called with what breaks the connection, on the event loop.
  init(isNearGone: @escaping () -> Bool, failed: @escaping (any Error) -> Void) {
    self.isNearGone = isNearGone
    self.failed = failed
  }

  func read(context: ChannelHandlerContext) {
    isReadWanted = true
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isOutputClosed { awaitSilence(context) }
    context.fireChannelRead(data)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    isReadWanted = false
    context.fireChannelReadComplete()
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

  /// - Parameter past: how long the far end has been silent until now.
  private func awaitSilence(_ context: ChannelHandlerContext, after past: Duration = .zero) {
    silence?.cancel()
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    silence = context.eventLoop.scheduleTask(in: TimeAmount(Self.step)) {
      let (handler, context) = bound.value
      handler.hasBeenSilent(for: handler.isReadWanted ? past + Self.step : .zero, context)
    }
  }

  private func hasBeenSilent(for time: Duration, _ context: ChannelHandlerContext) {
    if isNearGone() {
      hasEnded = true
      return context.close(promise: nil)
    }
    guard time >= Self.patience else { return awaitSilence(context, after: time) }
    fail(UnknownEnd(silence: time), context)
    context.close(promise: nil)
  }

  private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
    guard !hasFailed, !hasEnded else { return }
    hasFailed = true
    failed(error)
    context.fireErrorCaught(error)
  }
}

/// The client has ended its half of a connection, and the pod sends nothing.
struct UnknownEnd: UserFacingError, Hashable {
  /// How long it has sent nothing.
  var silence: Duration

  var message: ErrorMessage {
    ErrorMessage(
      "the pod sent nothing for \(DurationText.text(silence)) after the client's end,"
        + " of which it did not learn: a port-forward has no half-close")
  }
}
