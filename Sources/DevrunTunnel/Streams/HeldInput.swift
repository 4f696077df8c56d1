internal import NIOCore

/// What came in on a stream and nobody has asked for yet.
///
/// It is kept in memory of its own size: NIO's buffers may be much larger than what they hold for one stream, and many
/// small pieces may come in large buffers each.
struct HeldInput {
  private var bytes = ByteBuffer()
  private var ended = false

  /// Whether there is nothing.
  var isEmpty: Bool { bytes.readableBytes == 0 && !ended }

  /// Takes more bytes.
  mutating func hold(_ more: ByteBuffer) { bytes.writeImmutableBuffer(more) }

  /// Takes the end.
  mutating func holdEnd() { ended = true }

  /// Hands all of it over: the bytes, `nil` if there are none, and whether the end follows them.
  mutating func take() -> (bytes: ByteBuffer?, ended: Bool) {
    defer { self = HeldInput() }
    return (bytes.readableBytes > 0 ? bytes : nil, ended)
  }
}

extension ByteBuffer {
  /// The same bytes in memory of their own size, if these take much more.
  func compact() -> ByteBuffer { storageCapacity > 2 * readableBytes ? ByteBuffer(bytes: readableBytesView) : self }
}
