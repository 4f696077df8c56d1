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
