internal import DevrunCore

/// Values in the quotes of `azds-local.env`, which most readers of dotenv files understand as well.
enum DotenvQuoting {
  /// Bare where nothing needs quotes; in '...' where that is enough, since nothing in it means anything to any reader;
  /// else in "..." with escapes.
  static func quoted(_ value: [UInt8]) -> [UInt8] {
    if value.allSatisfy(ShellQuoting.isPlain) { return value }
    let needsEscapes = value.contains { byte in
      byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
    }
    guard needsEscapes else { return [UInt8(ascii: "'")] + value + [UInt8(ascii: "'")] }
    var text = [UInt8(ascii: "\"")]
    for byte in value {
      switch byte {
      case UInt8(ascii: "\n"): text += "\\n".utf8
      case UInt8(ascii: "\r"): text += "\\r".utf8
      case UInt8(ascii: "\t"): text += "\\t".utf8
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"): text += [UInt8(ascii: "\\"), byte]
      default: text.append(byte)
      }
    }
    return text + [UInt8(ascii: "\"")]
  }
}

/// Values as one word of a shell (POSIX.1-2024, XCU 2.2).
enum ShellQuoting {
  /// Bare where nothing needs quotes; in '...' where the value is a text that can be shown; else in `$'...'`, in which
  /// control characters and bytes that are no text have octal escapes.
  static func quoted(_ value: [UInt8]) -> [UInt8] {
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

/// Bytes as strings of JSON (RFC 8259), those that are no text as PEP 383 has it.
enum JSONQuoting {
  static func quoted(_ value: [UInt8]) -> [UInt8] {
    if let text = String(validating: value, as: UTF8.self) { return JSONValue.string(text).text }
    var text = [UInt8(ascii: "\"")]
    var rest = value[...]
    while let byte = rest.first {
      // A character of UTF-8 has four bytes at most.
      let character = (1...4).lazy.compactMap { count -> String? in
        rest.count < count ? nil : String(validating: rest.prefix(count), as: UTF8.self)
      }.first
      if let character {
        text += JSONValue.string(character).text.dropFirst().dropLast()
        rest = rest.dropFirst(character.utf8.count)
      } else {
        text += "\\udc".utf8
        text += [byte >> 4, byte & 15].map { Array("0123456789abcdef".utf8)[Int($0)] }
        rest = rest.dropFirst()
      }
    }
    return text + [UInt8(ascii: "\"")]
  }
}
