package import NIOCore
package import NIOHPACK
package import NIOHTTP2

/// Sends a response's head on a stream whose request came in, as a user outbound event of `HTTP2StreamHandler`.
package struct ResponseHead: Sendable {
  package var headers: HPACKHeaders
  package var endStream: Bool

  package init(_ headers: HPACKHeaders, endStream: Bool) {
    self.headers = headers
    self.endStream = endStream
  }
}

/// Makes an HTTP/2 stream channel a byte stream in the sense of `Relay`.
///
/// The first header block is handed to `onHead`; after it, DATA frames are the bytes. Input is held until it is asked
/// for by `read()`, and only what was asked for opens the window again (`StreamWindow`). END_STREAM is
/// `ChannelEvent.inputClosed`, `close(mode: .output)` sends it, any other close of an unfinished stream sends
/// RST_STREAM (RFC 9113 section 8.5 maps TCP's segments just so).
package final class HTTP2StreamHandler: ChannelDuplexHandler {
  package typealias InboundIn = HTTP2Frame.FramePayload
  package typealias InboundOut = ByteBuffer
  package typealias OutboundIn = ByteBuffer
  package typealias OutboundOut = HTTP2Frame.FramePayload

  /// How long data that was written before a reset may still take to leave.
  private static let resetDelay = TimeAmount.seconds(1)

  private let request: ResponseHead?
  private var onHead: ((Result<HPACKHeaders, any Error>) -> Void)?
  private let pool: WindowPool
  private var window: StreamWindow
  private var input = StreamInput()
  private var inputEnded = false
  private var requestSent = false
  private var outputEnded = false
  private var isGranting = false
  private var lastError: (any Error)?

  /// - Parameters:
  ///   - request: what is sent when the stream opens; `nil` where the peer opened it.
  ///   - pool: what this end's streams share.
  ///   - onHead: called once, on the event loop, with the peer's first header block, or when there will be none.
  package init(
    request: ResponseHead?, pool: WindowPool, onHead: @escaping (Result<HPACKHeaders, any Error>) -> Void
  ) {
    self.request = request
    self.pool = pool
    self.window = pool.newWindow
    self.onHead = onHead
  }

  package func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { start(context: context) }
  }

  package func channelActive(context: ChannelHandlerContext) {
    start(context: context)
    context.fireChannelActive()
  }

  private func start(context: ChannelHandlerContext) {
    guard !requestSent else { return }
    requestSent = true
    if let request { send(request, context: context, promise: nil) }
    context.read()
  }

  // MARK: What comes from the peer

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .headers(let headers):
      if let onHead {
        self.onHead = nil
        onHead(.success(headers.headers))
      }
      if headers.endStream { endInput(context: context) }
    case .data(let data):
      if case .byteBuffer(let buffer) = data.data, buffer.readableBytes > 0 { receive(buffer, context: context) }
      if data.endStream { endInput(context: context) }
    default:
      // Window updates, priorities and resets are NIOHTTP2's; what they mean for us arrives as events and errors.
      break
    }
  }

  private func receive(_ buffer: ByteBuffer, context: ChannelHandlerContext) {
    guard let bytes = input.receive(buffer) else { return }
    window.read(bytes.readableBytes)
    context.fireChannelRead(wrapInboundOut(bytes))
  }

  private func endInput(context: ChannelHandlerContext) {
    inputEnded = true
    if input.receiveEnd() { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
  }

  package func channelReadComplete(context: ChannelHandlerContext) {
    // Frames are taken as they come: it is the window that holds the peer back.
    if !inputEnded { context.read() }
    guard input.isAsked else { return }
    input.isAsked = false
    grant(keepsUp: true, context: context)
    context.fireChannelReadComplete()
  }

  /// Delivers what is held.
  @discardableResult
  private func deliverHeld(context: ChannelHandlerContext) -> Bool {
    guard let held = input.take() else { return false }
    if let bytes = held.bytes {
      window.read(bytes.readableBytes)
      grant(keepsUp: false, context: context)
    }
    held.deliver(by: context)
    return true
  }

  /// Opens the window by what was read.
  private func grant(keepsUp: Bool, context: ChannelHandlerContext) {
    guard !inputEnded else { return }
    let increment = pool.adjust(&window, keepsUp: keepsUp)
    guard increment > 0 else { return }
    // The peer's end may have arrived and wait to be delivered here. It needs no window then, and NIOHTTP2 says so.
    isGranting = true
    let update = HTTP2Frame.FramePayload.windowUpdate(windowSizeIncrement: increment)
    context.writeAndFlush(wrapOutboundOut(update), promise: nil)
    isGranting = false
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if isGranting { return }
    lastError = error
    context.fireErrorCaught(error)
  }

  package func channelInactive(context: ChannelHandlerContext) {
    // A stream that has ended both ways closes at once, perhaps before anybody asked for what it brought.
    inputEnded = true
    deliverHeld(context: context)
    headFailed(lastError ?? ChannelError.eof)
    context.fireChannelInactive()
  }

  package func handlerRemoved(context: ChannelHandlerContext) {
    pool.reclaim(&window)
    headFailed(lastError ?? ChannelError.alreadyClosed)
  }

  private func headFailed(_ error: any Error) {
    guard let onHead else { return }
    self.onHead = nil
    onHead(.failure(error))
  }

  // MARK: What goes to the peer

  package func read(context: ChannelHandlerContext) {
    if !deliverHeld(context: context) { input.isAsked = true }
  }

  package func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    context.write(wrapOutboundOut(.data(.init(data: .byteBuffer(unwrapOutboundIn(data))))), promise: promise)
  }

  package func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    guard mode == .output else { return context.close(mode: mode, promise: promise) }
    guard !outputEnded else {
      promise?.fail(ChannelError.outputClosed)
      return
    }
    outputEnded = true
    let end = HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer()), endStream: true))
    context.writeAndFlush(wrapOutboundOut(end), promise: promise)
  }

  package func triggerUserOutboundEvent(
    context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?
  ) {
    switch event {
    case let head as ResponseHead: send(head, context: context, promise: promise)
    case is StreamReset: reset(context: context, promise: promise)
    default: context.triggerUserOutboundEvent(event, promise: promise)
    }
  }

  private func send(_ head: ResponseHead, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    outputEnded = head.endStream
    let payload = HTTP2Frame.FramePayload.headers(.init(headers: head.headers, endStream: head.endStream))
    context.writeAndFlush(wrapOutboundOut(payload), promise: promise)
  }

  /// Lets what was written before the reset leave first, if that does not take long: sending RST_STREAM drops it,
  /// and a peer that answered and then closed without reading everything has sent an answer that is wanted.
  private func reset(context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    guard context.channel.isActive, requestSent, !outputEnded, context.channel.isWritable else {
      return context.close(promise: promise)
    }
    outputEnded = true
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    let written = context.eventLoop.makePromise(of: Void.self)
    let deadline = context.eventLoop.scheduleTask(in: Self.resetDelay) { bound.value.close(promise: nil) }
    written.futureResult.whenComplete { _ in
      deadline.cancel()
      bound.value.close(promise: promise)
    }
    let nothing = HTTP2Frame.FramePayload.data(.init(data: .byteBuffer(ByteBuffer())))
    context.writeAndFlush(wrapOutboundOut(nothing), promise: written)
  }
}
