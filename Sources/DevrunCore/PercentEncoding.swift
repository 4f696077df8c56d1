/// Percent-encoding (RFC 3986 section 2.1) of bytes that need not be text.
public enum PercentEncoding {
  /// Encodes all bytes but the unreserved characters: ASCII letters and digits, `-`, `.`, `_` and `~`.
  ///
  /// - Parameter others: other ASCII characters that are not encoded.
  public static func encode(_ bytes: some Sequence<UInt8>, except others: String = "") -> String {
    let plain = Set("-._~\(others)".utf8)
    let digits = Array("0123456789ABCDEF".utf8)
    var text: [UInt8] = []
    for byte in bytes {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        text.append(byte)
      case _ where plain.contains(byte): text.append(byte)
      default: text += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 0xf)]]
      }
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// The bytes that a text stands for. `nil` if a percent sign is not followed by two hexadecimal digits.
  public static func decode(_ text: some Sequence<UInt8>) -> [UInt8]? {
    var bytes: [UInt8] = []
    var iterator = text.makeIterator()
    func digit() -> UInt8? {
      iterator.next().flatMap { Character(Unicode.Scalar($0)).hexDigitValue }.map(UInt8.init)
    }
    while let byte = iterator.next() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard let high = digit(), let low = digit() else { return nil }
      bytes.append(high << 4 | low)
    }
    return bytes
  }
}
