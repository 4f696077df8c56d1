import NIOCore
import NIOWebSocket

/// Writes a client's WebSocket frames (RFC 6455 section 5.2): header, mask, and the masked payload in one new buffer.
///
/// With NIOWebSocket's encoder, every payload would be copied once to put the channel's byte before it, and once more
/// to mask it, a byte at a time.
struct WebSocketFrameWriter {
  private var generator = SystemRandomNumberGenerator()

  /// The frame of one whole message. `prefix` is a first byte of the payload.
  mutating func frame(_ opcode: WebSocketOpcode, prefix: UInt8? = nil, _ payload: ByteBufferView) -> ByteBuffer {
    let key = UInt32.random(in: .min ... .max, using: &generator)
    let length = payload.count + (prefix == nil ? 0 : 1)
    var frame = ByteBuffer()
    frame.reserveCapacity(length + 14)
    frame.writeInteger(0x80 | UInt8(webSocketOpcode: opcode))
    switch length {
    case ..<126: frame.writeInteger(0x80 | UInt8(length))
    case ..<65536:
      frame.writeInteger(0x80 | UInt8(126))
      frame.writeInteger(UInt16(length))
    default:
      frame.writeInteger(0x80 | UInt8(127))
      frame.writeInteger(UInt64(length))
    }
    frame.writeInteger(key)
    let start = frame.readableBytes
    if let prefix { frame.writeInteger(prefix) }
    frame.writeBytes(payload)
    frame.withUnsafeMutableReadableBytes { bytes in
      Self.mask(UnsafeMutableRawBufferPointer(rebasing: bytes[start...]), key)
    }
    return frame
  }

  /// Masks bytes in place: the key's bytes, the first one first, over and over.
  static func mask(_ bytes: UnsafeMutableRawBufferPointer, _ key: UInt32) {
    let word = UInt64(key.bigEndian) << 32 | UInt64(key.bigEndian)
    var offset = 0
    // The key in memory order is the same on either side of every eight bytes.
    while offset + 8 <= bytes.count {
      let value = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      bytes.storeBytes(of: value ^ word, toByteOffset: offset, as: UInt64.self)
      offset += 8
    }
    while offset < bytes.count {
      bytes[offset] ^= UInt8(truncatingIfNeeded: key >> (24 - 8 * UInt32(offset % 4)))
      offset += 1
    }
  }
}
