/// A message of Protocol Buffers on the wire, read field by field
/// (https://protobuf.dev/programming-guides/encoding/).
struct ProtobufReader {
  /// A field's value as the wire has it.
  enum Value: Sendable, Hashable {
    /// A number of any width.
    case number(UInt64)
    /// Where the bytes of a string or of another message are.
    case bytes(Range<Int>)
  }

  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// A reader of the message that is in a range of the bytes.
  init(_ bytes: [UInt8], in range: Range<Int>) {
    self.bytes = bytes
    (position, end) = (range.lowerBound, range.upperBound)
  }

  /// The next field; `nil` at the end of the message.
  mutating func next() throws(ProtobufError) -> (number: Int, value: Value)? {
    guard position < end else { return nil }
    let key = try varint()
    // 2^29 - 1 is the greatest number of a field.
    guard let number = Int(exactly: key >> 3), (1..<1 << 29).contains(number) else { throw .malformed }
    switch key & 7 {
    case 0: return (number, .number(try varint()))
    case 1: return (number, .number(try fixed(8)))
    case 2: return (number, .bytes(try take(try varint())))
    case 5: return (number, .number(try fixed(4)))
    default: throw .malformed
    }
  }

  private mutating func varint() throws(ProtobufError) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard position < end else { throw .truncated }
      let byte = bytes[position]
      position += 1
      // Of the tenth byte one bit counts.
      value |= UInt64(byte & 0x7f) << shift
      if byte < 0x80 { return value }
    }
    throw .malformed
  }

  private mutating func fixed(_ count: UInt64) throws(ProtobufError) -> UInt64 {
    try take(count).reversed().reduce(0) { $0 << 8 | UInt64(bytes[$1]) }
  }

  private mutating func take(_ count: UInt64) throws(ProtobufError) -> Range<Int> {
    guard count <= UInt64(end - position) else { throw .truncated }
    let start = position
    position += Int(count)
    return start..<position
  }
}

/// Why bytes are no message.
enum ProtobufError: Error, Hashable {
  /// They end in the middle of a field.
  case truncated
  /// They are not what the encoding allows, or a field has not the type that it should have.
  case malformed
  /// They are an object of a kind that devrun does not read.
  case unknownKind(String)

  /// The reason in words.
  var words: String {
    switch self {
    case .truncated: "the protobuf message is cut off"
    case .malformed: "the protobuf message is malformed"
    case .unknownKind(let kind): "it is a protobuf message of the kind \(kind)"
    }
  }
}
