internal import Glibc
package import NIOCore

/// Asks the handlers of `SocketStreamHandler` and `HTTP2StreamHandler` to break the stream off, as a user outbound
/// event.
package struct StreamReset: Sendable {
  package init() {}
}

/// Makes a TCP channel a byte stream in the sense of `Relay`.
///
/// Input is held until the first `read()`; `close(mode: .output)` waits for what was written before (NIO closes the
/// whole channel at once when its input has ended already, and drops what waits); the peer's end is told as
/// `ChannelEvent.inputClosed` also where NIO just closes (after our own end); `StreamReset` makes the kernel send RST.
package final class SocketStreamHandler: ChannelDuplexHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = ByteBuffer
  package typealias OutboundIn = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  private var input = StreamInput()
  private var inputEnded = false
  private var outputEnded = false
  private var failed = false

  package init() {}

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if let bytes = input.receive(unwrapInboundIn(data)) { context.fireChannelRead(wrapInboundOut(bytes)) }
  }

  package func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard event as? ChannelEvent == .inputClosed else { return context.fireUserInboundEventTriggered(event) }
    endInput(context: context)
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    failed = true
    context.fireErrorCaught(error)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    if outputEnded, !failed { endInput(context: context) }
    deliverHeld(context: context)
    context.fireChannelInactive()
  }

  private func endInput(context: ChannelHandlerContext) {
    guard !inputEnded else { return }
    inputEnded = true
    if input.receiveEnd() { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
  }

  package func read(context: ChannelHandlerContext) {
    input.isAsked = true
    if !deliverHeld(context: context) { context.read() }
  }

  /// Delivers what came in before the first read.
  @discardableResult
  private func deliverHeld(context: ChannelHandlerContext) -> Bool {
    guard let held = input.take() else { return false }
    held.deliver(by: context)
    return true
  }

  package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.whenComplete { result in
      let (handler, context) = bound.value
      switch result {
      case .success:
        handler.outputEnded = true
        context.close(mode: .output, promise: promise)
      case .failure(let error): promise?.fail(error)
      }
    }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: written)
  }

  package func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
    guard event is StreamReset else { return context.triggerUserOutboundEvent(event, promise: promise) }
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    // Zero seconds of lingering make close send RST and drop what was not sent: socket(7). Where it cannot be set the
    // socket is gone already, and closing is right in any case.
    let socket = context.channel as? any SocketOptionProvider
    let set = socket?.setSoLinger(linger(l_onoff: 1, l_linger: 0)) ?? context.eventLoop.makeSucceededVoidFuture()
    set.whenComplete { _ in bound.value.close(promise: promise) }
  }
}
