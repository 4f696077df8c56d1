public import DevrunCore

// What a plain scalar means. kubectl reads YAML with a Go library (sigs.k8s.io/yaml) that follows YAML 1.1 where it and
// YAML 1.2 disagree: `yes`, `on` and `y` are booleans, `010` is octal, `1_000` is a number. A kubeconfig must mean the
// same to devrun and to kubectl, so devrun follows these rules, for its own files as well. Base 60 numbers (`1:30`) and
// timestamps are strings.

extension YAMLNode.Scalar {
  /// What the scalar means: null, a boolean, a number or a string. Only a plain scalar, or one with a tag of the core
  /// schema (`!!int "1"`), can mean something other than a string. If such a tag does not fit the text, it is a string.
  public var resolved: JSONValue {
    switch tag {
    case nil: style == .plain ? plainMeaning : .string(text)
    case "tag:yaml.org,2002:null", "tag:yaml.org,2002:bool", "tag:yaml.org,2002:int": plainMeaning
    case "tag:yaml.org,2002:float":
      if case .int(let value) = plainMeaning { .double(Double(value)) } else { plainMeaning }
    default: .string(text)
    }
  }

  private var plainMeaning: JSONValue {
    switch text {
    case "", "~", "null", "Null", "NULL": return .null
    case "true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y": return .bool(true)
    case "false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N": return .bool(false)
    default: break
    }
    guard let first = text.utf8.first,
      first == UInt8(ascii: "+") || first == UInt8(ascii: "-")
        || first == UInt8(ascii: ".") || Self.isDigit(first)
    else { return .string(text) }
    let digits = text.filter { $0 != "_" }
    if let value = Self.integer(digits) { return .int(value) }
    if Self.isDecimalFloat(digits), let value = Double(digits), value.isFinite { return .double(value) }
    return .string(text)
  }

  /// A whole number as Go's `strconv.ParseInt` reads it with base 0: a sign, then `0x`, `0o`, `0b`, `0` (octal) or
  /// decimal.
  private static func integer(_ text: String) -> Int64? {
    var magnitude = text[...]
    let isNegative = magnitude.first == "-"
    if isNegative || magnitude.first == "+" { magnitude.removeFirst() }
    var radix = 10
    if magnitude.count > 1, magnitude.first == "0" {
      magnitude.removeFirst()
      switch magnitude.first {
      case "x", "X": radix = 16
      case "o", "O": radix = 8
      case "b", "B": radix = 2
      default: radix = 0
      }
      if radix == 0 { radix = 8 } else { magnitude.removeFirst() }
    }
    guard let first = magnitude.first, first != "+", first != "-" else { return nil }
    return Int64((isNegative ? "-" : "") + magnitude, radix: radix)
  }

  /// Whether the text is `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`.
  private static func isDecimalFloat(_ text: String) -> Bool {
    var rest = text.utf8[...]
    func takeDigits() -> Int {
      let digits = rest.prefix(while: isDigit)
      rest.removeFirst(digits.count)
      return digits.count
    }
    func take(_ letters: String) -> Bool {
      guard let next = rest.first, letters.utf8.contains(next) else { return false }
      rest.removeFirst()
      return true
    }
    _ = take("+-")
    let whole = takeDigits()
    let fraction = take(".") ? takeDigits() : 0
    guard whole + fraction > 0 else { return false }
    if take("eE") {
      _ = take("+-")
      guard takeDigits() > 0 else { return false }
    }
    return rest.isEmpty
  }

  private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
