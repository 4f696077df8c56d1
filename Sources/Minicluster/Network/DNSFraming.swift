internal import NIOCore

/// DNS messages over TCP: each behind its length, in two bytes (RFC 1035, section 4.2.2).
final class DNSFrameDecoder: ByteToMessageDecoder {
  typealias InboundOut = ByteBuffer

  func decode(context: ChannelHandlerContext, buffer: inout ByteBuffer) -> DecodingState {
    guard let message = buffer.readLengthPrefixedSlice(as: UInt16.self) else { return .needMoreData }
    context.fireChannelRead(wrapInboundOut(message))
    return .continue
  }

  func decodeLast(
    context: ChannelHandlerContext, buffer: inout ByteBuffer, seenEOF: Bool
  ) -> DecodingState {
    decode(context: context, buffer: &buffer)
  }
}

/// Writes DNS messages over TCP.
final class DNSFrameEncoder: MessageToByteEncoder {
  typealias OutboundIn = ByteBuffer

  func encode(data: ByteBuffer, out: inout ByteBuffer) throws {
    try out.writeLengthPrefixed(as: UInt16.self) { $0.writeImmutableBuffer(data) }
  }
}
