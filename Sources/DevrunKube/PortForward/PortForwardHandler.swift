// Turns a WebSocket into a plain stream of bytes.
//
// Reads. Nothing is read from the socket unless a handler above asks (`read`), so that its pace is the sender's. Bytes
// that arrived with the upgrade, before a handler has asked, are kept until one asks. Each `read` is answered by bytes:
// if only a part of a frame came, or a frame without data, this handler reads on by itself.
//
// Silence. While somebody wants to read, something must come at least every two ping intervals: the far end answers
// pings. While nobody reads, pongs cannot be seen, and silence means nothing.

import NIOCore
import NIOWebSocket

/// The handler of a port-forward: `WebSocketFrame` below, `ByteBuffer` above.
final class PortForwardHandler: ChannelDuplexHandler {
  typealias InboundIn = WebSocketFrame
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// How many bytes go into one frame: the server handles frames one at a time and whole.
  static let maximumPayload = 64 * 1024

  private let pingInterval: TimeAmount
  private var machine: PortForwardProtocol
  private var writer = WebSocketFrameWriter()
  private var pings: RepeatedTask?
  /// Intervals that have passed without a byte though somebody wanted to read.
  private var silentIntervals = 0
  private var isReadWanted = false
  private var hasBeenAsked = false
  private var hasDelivered = false
  private var isClosing = false
  private var kept: [PortForwardProtocol.Action] = []

  init(port: UInt16, pingInterval: TimeAmount) {
    machine = PortForwardProtocol(port: port)
    self.pingInterval = pingInterval
  }

  func handlerAdded(context: ChannelHandlerContext) {
    let context = NIOLoopBound(context, eventLoop: context.eventLoop)
    let handler = NIOLoopBound(self, eventLoop: context.value.eventLoop)
    pings = context.value.eventLoop.scheduleRepeatedTask(initialDelay: pingInterval, delay: pingInterval) { _ in
      handler.value.pingIsDue(context.value)
    }
  }

  func handlerRemoved(context: ChannelHandlerContext) { pings?.cancel() }

  /// What had gone wrong before anyone asked for bytes.
  var earlyFailure: PortForwardError? {
    for action in kept {
      switch action {
      case .fail(let error), .close(let error?): return error
      case .deliver, .pong, .close(nil): continue
      }
    }
    return nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    pings?.cancel()
    releaseKept(context)
    context.fireChannelInactive()
  }

  func read(context: ChannelHandlerContext) {
    hasBeenAsked = true
    isReadWanted = true
    hasDelivered = false
    if !kept.isEmpty {
      releaseKept(context)
      context.fireChannelReadComplete()
    }
    context.read()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    silentIntervals = 0
    guard !isClosing else { return }
    for action in machine.receive(opcode: frame.opcode, isFinal: frame.fin, payload: frame.unmaskedData) {
      if case .pong(let payload) = action {
        write(.pong, payload, context)
      } else if hasBeenAsked {
        perform(action, context)
      } else {
        kept.append(action)
      }
    }
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isReadWanted, !hasDelivered, !isClosing {
      context.read()
    } else {
      isReadWanted = false
    }
    context.fireChannelReadComplete()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // The decoder stops at what it does not understand, and leaves the connection open.
    if error is NIOWebSocketError {
      return fail(.protocolViolation("a broken WebSocket frame came: \(error)"), context)
    }
    context.fireErrorCaught(error)
    context.close(promise: nil)
  }

  private func perform(_ action: PortForwardProtocol.Action, _ context: ChannelHandlerContext) {
    switch action {
    case .deliver(let bytes):
      hasDelivered = true
      context.fireChannelRead(wrapInboundOut(bytes))
    case .pong(let payload): write(.pong, payload, context)
    case .fail(let error): fail(error, context)
    case .close(let error):
      if let error {
        context.fireErrorCaught(error)
      } else {
        context.fireUserInboundEventTriggered(PortForwardEnd())
      }
      sendClose(context)
      context.close(promise: nil)
    }
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    var bytes = unwrapOutboundIn(data)
    guard !isClosing else {
      promise?.fail(ChannelError.ioOnClosedChannel)
      return
    }
    guard bytes.readableBytes > 0 else {
      context.write(wrapOutboundOut(ByteBuffer()), promise: promise)
      return
    }
    while let part = bytes.readSlice(length: min(bytes.readableBytes, Self.maximumPayload)), part.readableBytes > 0 {
      let frame = writer.frame(.binary, prefix: 0, part.readableBytesView)
      context.write(wrapOutboundOut(frame), promise: bytes.readableBytes == 0 ? promise : nil)
    }
  }

  func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
    // The protocol has no way to end one direction.
    guard mode == .all else {
      promise?.fail(ChannelError.operationUnsupported)
      return
    }
    sendClose(context)
    context.close(promise: promise)
  }

  private func sendClose(_ context: ChannelHandlerContext) {
    guard !isClosing else { return }
    isClosing = true
    pings?.cancel()
    var payload = ByteBuffer()
    payload.writeInteger(UInt16(1000))
    write(.connectionClose, payload, context)
  }

  private func write(_ opcode: WebSocketOpcode, _ payload: ByteBuffer, _ context: ChannelHandlerContext) {
    context.writeAndFlush(wrapOutboundOut(writer.frame(opcode, payload.readableBytesView)), promise: nil)
  }

  private func fail(_ error: PortForwardError, _ context: ChannelHandlerContext) {
    context.fireErrorCaught(error)
    sendClose(context)
    context.close(promise: nil)
  }

  private func releaseKept(_ context: ChannelHandlerContext) {
    let actions = kept
    kept = []
    for action in actions { perform(action, context) }
  }

  private func pingIsDue(_ context: ChannelHandlerContext) {
    guard !isClosing else { return }
    if isReadWanted {
      silentIntervals += 1
      // The first interval may have begun before the first ping.
      if silentIntervals > 2 { return fail(.peerSilent, context) }
    } else {
      silentIntervals = 0
    }
    write(.ping, ByteBuffer(), context)
  }
}
