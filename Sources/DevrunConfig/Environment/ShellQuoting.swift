/// Values as one word of a shell (POSIX.1-2024, XCU 2.2).
package enum ShellQuoting {
  /// Bare where nothing needs quotes; in '...' where the value is a text that can be shown; else in `$'...'`, in which
  /// control characters and bytes that are no text have octal escapes.
  package static func quoted(_ value: [UInt8]) -> [UInt8] {
    if !value.isEmpty, value.allSatisfy(isPlain) { return value }
    let isText = String(validating: value, as: UTF8.self) != nil
    guard !isText || value.contains(where: isControl) else {
      let quote = UInt8(ascii: "'")
      return [quote] + value.flatMap { $0 == quote ? Array("'\\''".utf8) : [$0] } + [quote]
    }
    var text = Array("$'".utf8)
    for byte in value {
      switch byte {
      case UInt8(ascii: "\n"): text += "\\n".utf8
      case UInt8(ascii: "\r"): text += "\\r".utf8
      case UInt8(ascii: "\t"): text += "\\t".utf8
      case UInt8(ascii: "'"), UInt8(ascii: "\\"): text += [UInt8(ascii: "\\"), byte]
      case _ where isControl(byte) || byte >= 0x80 && !isText: text += octalEscape(byte)
      default: text.append(byte)
      }
    }
    return text + [UInt8(ascii: "'")]
  }

  /// Whether the byte means itself to a shell and to a reader of dotenv files, wherever it stands in a value.
  static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: "_-./:@%+,=".utf8.contains(byte)
    }
  }

  private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7f }

  private static func octalEscape(_ byte: UInt8) -> [UInt8] {
    [UInt8(ascii: "\\")] + [byte >> 6, byte >> 3 & 7, byte & 7].map { UInt8(ascii: "0") + $0 }
  }
}
