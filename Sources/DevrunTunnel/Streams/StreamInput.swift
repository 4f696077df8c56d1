internal import NIOCore

/// The input of a byte stream: passed on at once while somebody waits for it, else held until it is asked for.
///
/// What is held is kept in memory of its own size: NIO's buffers may be much larger than what they hold for one stream,
/// and many small pieces may come in large buffers each.
struct StreamInput {
  /// Whether somebody waits for input.
  var isAsked = false

  private var held = ByteBuffer()
  private var endIsHeld = false

  /// Takes bytes.
  ///
  /// - Returns: what is to be passed on; `nil` if the bytes are held.
  mutating func receive(_ bytes: ByteBuffer) -> ByteBuffer? {
    guard isAsked else {
      held.writeImmutableBuffer(bytes)
      return nil
    }
    return bytes.storageCapacity > 2 * bytes.readableBytes ? ByteBuffer(bytes: bytes.readableBytesView) : bytes
  }

  /// Takes the end.
  ///
  /// - Returns: whether it is to be passed on; otherwise it is held.
  mutating func receiveEnd() -> Bool {
    if !isAsked { endIsHeld = true }
    return isAsked
  }

  /// Hands over what is held; `nil` if nothing is.
  mutating func take() -> HeldInput? {
    guard held.readableBytes > 0 || endIsHeld else { return nil }
    defer {
      held = ByteBuffer()
      endIsHeld = false
    }
    return HeldInput(bytes: held.readableBytes > 0 ? held : nil, isEnded: endIsHeld)
  }
}

/// What came in on a stream before it was asked for.
struct HeldInput {
  /// The bytes, if there are any.
  var bytes: ByteBuffer?
  /// Whether the end follows them.
  var isEnded: Bool

  /// Passes it on to the next handler.
  func deliver(by context: ChannelHandlerContext) {
    if let bytes { context.fireChannelRead(NIOAny(bytes)) }
    if isEnded { context.fireUserInboundEventTriggered(ChannelEvent.inputClosed) }
    context.fireChannelReadComplete()
  }
}
