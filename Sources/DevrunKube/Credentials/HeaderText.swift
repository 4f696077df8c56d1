/// What a text must be to become a part of a request's head.
enum HeaderText {
  /// Whether a text can be the value of a header (RFC 9110 section 5.5): it holds no control character but tabs.
  static func isValue(_ text: String) -> Bool {
    text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == UInt8(ascii: "\t") }
  }

  /// A token without white space at its ends, which files and programs often add; `nil` if it cannot be sent.
  static func token(_ text: String) -> String? {
    let bytes = text.utf8.drop(while: isSpace)
    let token = String(
      Substring(bytes.prefix(upTo: bytes.lastIndex { !isSpace($0) }.map(bytes.index(after:)) ?? bytes.startIndex)))
    return isValue(token) ? token : nil
  }

  private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0d).contains(byte) }

  /// Whether a text holds neither white space nor control characters.
  static func isPrintable(_ text: String) -> Bool { text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7f } }
}
