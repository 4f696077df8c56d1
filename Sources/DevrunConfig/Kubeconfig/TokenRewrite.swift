internal import DevrunCore
internal import DevrunYAML

/// Puts new tokens in the place of old ones in a kubeconfig's text. Comments, order and white space stay as they are.
enum TokenRewrite {
  /// A token and the one that takes its place.
  struct Change {
    var old: String
    var new: String
  }

  /// The text with the changes made.
  ///
  /// Returns `nil` if an old token does not stand in the text exactly once, as a whole scalar that is plain or in
  /// quotes, or if the result would not be read as the same kubeconfig with the new tokens.
  static func apply(_ changes: [Change], to bytes: [UInt8]) -> [UInt8]? {
    var edits: [(place: Range<Int>, text: [UInt8])] = []
    for change in changes {
      guard let scalar = scalar(change.old, in: bytes) else { return nil }
      edits.append((scalar.place, Array(written(change.new, quote: scalar.quote).utf8)))
    }
    var result = bytes
    for edit in edits.sorted(by: { $0.place.lowerBound > $1.place.lowerBound }) {
      result.replaceSubrange(edit.place, with: edit.text)
    }
    guard let before = json(of: bytes), let after = json(of: result) else { return nil }
    let wanted = replaced(before, Dictionary(changes.map { ($0.old, $0.new) }, uniquingKeysWith: { $1 }))
    return before != after && after == wanted ? result : nil
  }

  /// The only place of a scalar, its quotes included.
  private static func scalar(_ text: String, in bytes: [UInt8]) -> (place: Range<Int>, quote: UInt8?)? {
    let places = bytes.ranges(of: Array(text.utf8))
    guard !text.isEmpty, places.count == 1, let place = places.first else { return nil }
    let before = place.lowerBound > 0 ? bytes[place.lowerBound - 1] : UInt8(ascii: "\n")
    let after = place.upperBound < bytes.count ? bytes[place.upperBound] : UInt8(ascii: "\n")
    if before == after, "\"'".utf8.contains(before) {
      return (place.lowerBound - 1..<place.upperBound + 1, before)
    }
    guard " \t\r\n[{,".utf8.contains(before), " \t\r\n]},".utf8.contains(after) else { return nil }
    return (place, nil)
  }

  /// A token as a scalar, in the manner of the one before it if that is possible.
  private static func written(_ token: String, quote: UInt8?) -> String {
    let isSimple = token.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
      default: "-._~+/=".utf8.contains(byte)
      }
    }
    if isSimple, quote == UInt8(ascii: "'") { return "'\(token)'" }
    let isLetter = token.utf8.first.map { Character(Unicode.Scalar($0)).isLetter } ?? false
    if isSimple, isLetter, quote == nil, YAMLNode.Scalar(token).resolved == .string(token) { return token }
    return "\"" + token.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }

  private static func json(of bytes: [UInt8]) -> JSONValue? {
    (try? YAML.firstDocument(of: bytes, source: "kubeconfig"))?.root.json
  }

  private static func replaced(_ value: JSONValue, _ changes: [String: String]) -> JSONValue {
    switch value {
    case .string(let text): changes[text].map { .string($0) } ?? value
    case .array(let elements): .array(elements.map { replaced($0, changes) })
    case .object(let members): .object(members.mapValues { replaced($0, changes) })
    default: value
    }
  }
}
