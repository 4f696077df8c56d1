/// The names that variables can have in `azds-local.env` and other dotenv files.
enum DotenvName {
  /// Whether a text is such a name: a letter or `_`, then letters, digits, `_`, `.` and `-`.
  static func isValid(_ bytes: some Collection<UInt8>) -> Bool {
    guard let first = bytes.first else { return false }
    return isStart(first) && bytes.allSatisfy(isPart)
  }

  private static func isStart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"): true
    default: false
    }
  }

  private static func isPart(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"): true
    default: isStart(byte)
    }
  }
}
