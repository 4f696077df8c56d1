// Label selectors as queries write them
// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors):
//
//   app=web, app==web, app!=web, tier in (front, back), tier notin (db), app, !app
internal import DevrunCore

/// One condition of a label selector.
package struct LabelRequirement: Sendable, Hashable {
  /// The label's name.
  package var key: String
  /// What is asked of it.
  package var condition: Condition

  /// What is asked of a label.
  package enum Condition: Sendable, Hashable {
    /// It has one of these values.
    case isIn(Set<String>)
    /// It has none of these values, or is absent.
    case isNotIn(Set<String>)
    /// It is there.
    case exists
    /// It is absent.
    case isAbsent
  }

  /// A condition on a label.
  package init(_ key: String, _ condition: Condition) {
    self.key = key
    self.condition = condition
  }

  /// The condition of an element of `matchExpressions`.
  init(expression: JSONValue) throws(APIFailure) {
    let values = Set((expression["values"]?.array ?? []).compactMap(\.string))
    guard let key = expression["key"]?.string, !key.isEmpty else { throw .badRequest("a label selector has no key") }
    self.key = key
    switch expression["operator"]?.string {
    case "In": condition = .isIn(values)
    case "NotIn": condition = .isNotIn(values)
    case "Exists": condition = .exists
    case "DoesNotExist": condition = .isAbsent
    case let other: throw .badRequest("\"\(other ?? "")\" is not a valid label selector operator")
    }
  }

  /// Whether labels meet the condition.
  func accepts(_ labels: [String: String]) -> Bool {
    switch condition {
    case .isIn(let values): labels[key].map(values.contains) ?? false
    case .isNotIn(let values): !(labels[key].map(values.contains) ?? false)
    case .exists: labels[key] != nil
    case .isAbsent: labels[key] == nil
    }
  }

  /// The conditions of a query's text.
  ///
  /// - Throws: 400 in the words of `k8s.io/apimachinery/pkg/labels`.
  static func parse(_ text: String) throws(APIFailure) -> [LabelRequirement] {
    var parser = LabelSelectorParser(text)
    return try parser.requirements()
  }
}

/// Reads a label selector token by token.
private struct LabelSelectorParser {
  private let characters: [Character]
  private var position = 0
  private static let special: Set<Character> = ["=", "!", "(", ")", ",", ">", "<"]

  init(_ text: String) { characters = Array(text) }

  private enum Token: Equatable {
    case word(String)
    case symbol(String)
    case end

    var text: String {
      switch self {
      case .word(let text), .symbol(let text): text
      case .end: ""
      }
    }
  }

  private mutating func next() -> Token {
    while position < characters.count, characters[position].isWhitespace { position += 1 }
    guard position < characters.count else { return .end }
    let start = position
    if Self.special.contains(characters[position]) {
      // `==` and `!=` are the symbols of two characters.
      position += 1
      if "=!".contains(characters[start]), position < characters.count, characters[position] == "=" { position += 1 }
      return .symbol(String(characters[start..<position]))
    }
    while position < characters.count, !characters[position].isWhitespace,
      !Self.special.contains(characters[position])
    {
      position += 1
    }
    return .word(String(characters[start..<position]))
  }

  private mutating func peek() -> Token {
    let start = position
    defer { position = start }
    return next()
  }

  private func failure(found token: Token, expected: String) -> APIFailure {
    .badRequest("found '\(token.text)', expected: \(expected)")
  }

  private func failure(ofRequirement problem: String) -> APIFailure {
    .badRequest("unable to parse requirement: \(problem)")
  }

  mutating func requirements() throws(APIFailure) -> [LabelRequirement] {
    var requirements: [LabelRequirement] = []
    if peek() == .end { return [] }
    while true {
      requirements.append(try requirement())
      switch next() {
      case .end: return requirements
      case .symbol(","):
        let following = peek()
        if following == .end { throw failure(found: following, expected: "identifier after ','") }
      case let token: throw failure(found: token, expected: "',' or 'end of string'")
      }
    }
  }

  private mutating func requirement() throws(APIFailure) -> LabelRequirement {
    var token = next()
    if token == .symbol("!") {
      token = next()
      guard case .word(let key) = token else { throw failure(found: token, expected: "identifier") }
      return LabelRequirement(try checked(key), .isAbsent)
    }
    guard case .word(let name) = token else {
      throw failure(found: token, expected: "!, identifier, or 'end of string'")
    }
    let key = try checked(name)
    switch peek() {
    case .end, .symbol(","): return LabelRequirement(key, .exists)
    default: break
    }
    switch next() {
    case .symbol("="), .symbol("=="): return LabelRequirement(key, .isIn([try value()]))
    case .symbol("!="): return LabelRequirement(key, .isNotIn([try value()]))
    case .word("in"): return LabelRequirement(key, .isIn(try values()))
    case .word("notin"): return LabelRequirement(key, .isNotIn(try values()))
    case let token:
      throw failure(ofRequirement: "found '\(token.text)', expected: '=', '!=', '==', 'in', notin'")
    }
  }

  private func checked(_ key: String) throws(APIFailure) -> String {
    if let problem = QualifiedName.problem(with: key) {
      throw failure(ofRequirement: "invalid label key \"\(key)\": \(problem)")
    }
    return key
  }

  /// A value, which may be empty.
  private mutating func value() throws(APIFailure) -> String {
    switch peek() {
    case .end, .symbol(","): return ""
    default: break
    }
    let token = next()
    guard case .word(let value) = token else { throw failure(found: token, expected: "identifier") }
    return value
  }

  private mutating func values() throws(APIFailure) -> Set<String> {
    var token = next()
    guard token == .symbol("(") else {
      throw failure(ofRequirement: "found '\(token.text)' expected: '('")
    }
    var values: Set<String> = []
    while true {
      if case .word(let value) = peek() {
        _ = next()
        values.insert(value)
      } else {
        values.insert("")
      }
      token = next()
      switch token {
      case .symbol(")"): return values
      case .symbol(","): continue
      default: throw failure(ofRequirement: "found '\(token.text)', expected: ',' or ')'")
      }
    }
  }
}
