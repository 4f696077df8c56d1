internal import DevrunCore

/// Reads the lines of an `azds-local.env` (the grammar is at `AzdsLocalEnv`).
///
/// It works on bytes, since values need not be UTF-8. A mistake ends its line and no more: reading goes on with the
/// next one, so that all mistakes are found. One in a token does not even end the value.
struct LocalEnvParser {
  private var assignments: [LocalEnvFile.Assignment] = []
  private var problems: [LocalEnvError.Problem] = []
  private let bytes: [UInt8]
  private let source: String
  private var cursor = Cursor()

  /// A place between two bytes.
  private struct Cursor {
    var index = 0
    var mark = TextMark(line: 1, column: 1)
  }

  /// The parts of a value as they are read, with neighbouring literal bytes in one.
  private struct Value {
    var segments: [LocalEnvFile.Segment] = []
    var literal: [UInt8] = []

    mutating func append(_ segment: LocalEnvFile.Segment) {
      finishLiteral()
      segments.append(segment)
    }

    mutating func finishLiteral() {
      if !literal.isEmpty { segments.append(.literal(RawString(literal))) }
      literal = []
    }
  }

  /// Reads a text: its assignments, in order and without those that have a mistake, and its mistakes.
  ///
  /// - Parameters:
  ///   - bytes: the text.
  ///   - source: the file's name, for the places of mistakes.
  static func parse(
    _ bytes: [UInt8], source: String
  ) -> (assignments: [LocalEnvFile.Assignment], problems: [LocalEnvError.Problem]) {
    var parser = LocalEnvParser(bytes, source: source)
    parser.parse()
    return (parser.assignments, parser.problems)
  }

  private init(_ bytes: [UInt8], source: String) {
    self.source = source
    let mark: [UInt8] = [0xef, 0xbb, 0xbf]
    self.bytes = bytes.starts(with: mark) ? Array(bytes.dropFirst(mark.count)) : bytes
  }

  private mutating func parse() {
    if bytes.contains(0) {
      while next != 0 { advance() }
      return record(.nul, at: here)
    }
    while next != nil {
      skipBlanks()
      if next != UInt8(ascii: "#"), !isAtLineEnd {
        let line = cursor
        do throws(LocalEnvError.Problem) {
          try assignments.append(assignment())
        } catch {
          problems.append(error)
          // A quote that is never closed would take the rest of the file with it.
          if case .unterminatedQuote = error.reason { cursor = line }
        }
      }
      skipLine()
    }
  }

  private mutating func assignment() throws(LocalEnvError.Problem) -> LocalEnvFile.Assignment {
    var position = here
    var name = try name()
    skipBlanks()
    if name == Array("export".utf8), next != UInt8(ascii: "="), !isAtLineEnd {
      position = here
      name = try self.name()
      skipBlanks()
    }
    guard next == UInt8(ascii: "=") else {
      throw LocalEnvError.Problem(
        position: here, reason: .missingEquals(name: String(decoding: name, as: UTF8.self)))
    }
    advance()
    skipBlanks()
    let segments =
      switch next {
      case UInt8(ascii: "'"), UInt8(ascii: "\""): try quoted()
      default: unquoted()
      }
    return LocalEnvFile.Assignment(name: RawString(name), segments: segments, position: position)
  }

  private mutating func name() throws(LocalEnvError.Problem) -> [UInt8] {
    let start = cursor
    while let byte = next, byte != UInt8(ascii: "="), !Self.isBlank(byte), !isAtLineEnd { advance() }
    let name = Array(bytes[start.index..<cursor.index])
    guard DotenvName.isValid(name) else {
      let text = name.isEmpty ? "=" : Self.excerpt(name[...])
      throw LocalEnvError.Problem(position: position(start.mark), reason: .invalidName(text))
    }
    return name
  }

  /// A value without quotes: to the end of the line or to a comment, without the blanks before either.
  private mutating func unquoted() -> [LocalEnvFile.Segment] {
    var value = Value()
    var blanks: [UInt8] = []
    while let byte = next, !isAtLineEnd {
      if byte == UInt8(ascii: "#"), Self.isBlank(bytes[cursor.index - 1]) { break }
      if Self.isBlank(byte) {
        blanks.append(byte)
        advance()
        continue
      }
      value.literal += blanks
      blanks = []
      if byte == UInt8(ascii: "$") {
        dollar(into: &value, closing: nil)
      } else {
        value.literal.append(byte)
        advance()
      }
    }
    value.finishLiteral()
    return value.segments
  }

  private mutating func quoted() throws(LocalEnvError.Problem) -> [LocalEnvFile.Segment] {
    let start = here
    let line = cursor.mark.line
    let quote = bytes[cursor.index]
    let known = problems.count
    var value = Value()
    advance()
    while let byte = next, byte != quote {
      switch byte {
      case UInt8(ascii: "\\") where quote == UInt8(ascii: "\""):
        escape(into: &value)
      case UInt8(ascii: "$") where quote == UInt8(ascii: "\""):
        dollar(into: &value, closing: quote)
      case UInt8(ascii: "\r") where isAtLineEnd:
        advance()
      default:
        value.literal.append(byte)
        advance()
      }
    }
    guard next != nil else {
      problems.removeSubrange(known...)
      throw LocalEnvError.Problem(
        position: start, reason: .unterminatedQuote(String(decoding: [quote], as: UTF8.self)))
    }
    advance()
    skipBlanks()
    // A token that is never closed may have a quote in it: then what follows is no mistake of its own.
    let isCutToken = problems[known...].contains { $0.reason == .unterminatedToken }
    guard next == UInt8(ascii: "#") || isAtLineEnd || isCutToken else {
      throw LocalEnvError.Problem(
        position: here, reason: .textAfterQuote(Self.excerpt(restOfLine), openedInLine: line))
    }
    value.finishLiteral()
    return value.segments
  }

  /// A backslash in double quotes and what it stands for. If the letter behind it has no meaning, both stay.
  private mutating func escape(into value: inout Value) {
    advance()
    let known: UInt8? =
      switch next {
      case UInt8(ascii: "n"): UInt8(ascii: "\n")
      case UInt8(ascii: "r"): UInt8(ascii: "\r")
      case UInt8(ascii: "t"): UInt8(ascii: "\t")
      case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "$"): next
      default: nil
      }
    value.literal.append(known ?? UInt8(ascii: "\\"))
    if known != nil { advance() }
  }

  /// A `$`: doubled, the beginning of a token, or itself. A token ends in its line, and before the `closing` quote.
  private mutating func dollar(into value: inout Value, closing: UInt8?) {
    let position = here
    advance()
    guard next == UInt8(ascii: "{") else {
      value.literal.append(UInt8(ascii: "$"))
      if next == UInt8(ascii: "$") { advance() }
      return
    }
    advance()
    let start = cursor.index
    while let byte = next, byte != UInt8(ascii: "}"), byte != closing, !isAtLineEnd { advance() }
    let token = bytes[start..<cursor.index]
    guard next == UInt8(ascii: "}") else { return record(.unterminatedToken, at: position) }
    advance()
    guard let text = String(validating: token, as: UTF8.self) else {
      return record(.unknownToken(Self.excerpt(token), suggestion: nil), at: position)
    }
    do {
      value.append(try LocalEnvToken.parse(text, at: position))
    } catch {
      record(error, at: position)
    }
  }

  private mutating func record(_ reason: LocalEnvError.Reason, at position: TextPosition) {
    problems.append(LocalEnvError.Problem(position: position, reason: reason))
  }
}

extension LocalEnvParser {
  /// The next byte; `nil` at the end.
  private var next: UInt8? { cursor.index < bytes.count ? bytes[cursor.index] : nil }

  /// The place of the next byte.
  private var here: TextPosition { position(cursor.mark) }

  private func position(_ mark: TextMark) -> TextPosition {
    TextPosition(source: source, mark: mark)
  }

  /// Whether a line ends here: by LF, by CRLF or with the file.
  private var isAtLineEnd: Bool {
    switch next {
    case nil, UInt8(ascii: "\n"): true
    case UInt8(ascii: "\r"): cursor.index + 1 == bytes.count || bytes[cursor.index + 1] == UInt8(ascii: "\n")
    default: false
    }
  }

  private var restOfLine: ArraySlice<UInt8> {
    bytes[cursor.index...].prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
  }

  private mutating func advance() {
    let byte = bytes[cursor.index]
    cursor.index += 1
    if byte == UInt8(ascii: "\n") {
      cursor.mark = TextMark(line: cursor.mark.line + 1, column: 1)
    } else if next.map({ $0 & 0xc0 != 0x80 }) ?? true {
      // What follows begins a character of UTF-8.
      cursor.mark.column += 1
    }
  }

  private mutating func skipBlanks() {
    while let byte = next, Self.isBlank(byte) { advance() }
  }

  /// Goes to the beginning of the next line.
  private mutating func skipLine() {
    while let byte = next {
      advance()
      if byte == UInt8(ascii: "\n") { return }
    }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

  /// A text for a message: not endless.
  private static func excerpt(_ bytes: ArraySlice<UInt8>) -> String {
    let text = String(decoding: bytes, as: UTF8.self)
    return text.count > 40 ? "\(text.prefix(40))..." : text
  }
}
