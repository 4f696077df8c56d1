/// A string of the operating system: bytes without a NUL, usually but not always UTF-8.
///
/// Environment variables, arguments and file names are such strings, and a wrapper must hand them on to the letter.
public struct RawString: Sendable, Hashable {
  /// The bytes, without the final NUL.
  public var bytes: [UInt8]

  /// A string of the given bytes.
  public init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  /// The UTF-8 form of the given text.
  public init(_ text: String) { self.bytes = Array(text.utf8) }
}

extension RawString: ExpressibleByStringLiteral {
  /// The UTF-8 form of a literal.
  public init(stringLiteral value: String) { self.init(value) }
}

extension RawString: CustomStringConvertible {
  /// The text, with what is not UTF-8 replaced: for people, never to hand on.
  public var description: String { String(decoding: bytes, as: UTF8.self) }
}

extension RawString: Comparable {
  /// Byte order.
  public static func < (left: RawString, right: RawString) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}

extension RawString: Codable {
  /// Reads an array of bytes.
  public init(from decoder: any Decoder) throws {
    self.bytes = try decoder.singleValueContainer().decode([UInt8].self)
  }

  /// Writes an array of bytes.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(bytes)
  }
}
