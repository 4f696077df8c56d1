internal import CLibYAML
internal import DevrunCore

/// libyaml's events as values of Swift, each with the place where it begins.
///
/// Borrows the parser and the text: it must not outlive either.
struct YAMLEvents {
  let parser: UnsafeMutablePointer<yaml_parser_t>
  let text: UnsafeBufferPointer<UInt8>
  let source: String

  /// What the parser came upon. Anchors and tags are those written before the value.
  enum Event {
    case streamStart
    case streamEnd
    case documentStart
    case documentEnd
    case alias(String)
    case scalar(YAMLNode.Scalar, anchor: String?)
    case sequenceStart(anchor: String?)
    case sequenceEnd
    case mappingStart(anchor: String?)
    case mappingEnd
  }

  /// The next event.
  func next() throws(YAMLError) -> (event: Event, mark: TextMark) {
    var raw = yaml_event_t()
    guard yaml_parser_parse(parser, &raw) == 1 else { throw syntaxError() }
    defer { yaml_event_delete(&raw) }
    return (event(of: raw), Self.mark(raw.start_mark))
  }

  private func event(of raw: yaml_event_t) -> Event {
    switch raw.type {
    case YAML_STREAM_START_EVENT: return .streamStart
    case YAML_DOCUMENT_START_EVENT: return .documentStart
    case YAML_DOCUMENT_END_EVENT: return .documentEnd
    case YAML_ALIAS_EVENT: return .alias(Self.string(raw.data.alias.anchor) ?? "")
    case YAML_SEQUENCE_START_EVENT: return .sequenceStart(anchor: Self.string(raw.data.sequence_start.anchor))
    case YAML_SEQUENCE_END_EVENT: return .sequenceEnd
    case YAML_MAPPING_START_EVENT: return .mappingStart(anchor: Self.string(raw.data.mapping_start.anchor))
    case YAML_MAPPING_END_EVENT: return .mappingEnd
    case YAML_SCALAR_EVENT:
      let scalar = raw.data.scalar
      let value = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
      return .scalar(
        YAMLNode.Scalar(
          String(decoding: value, as: UTF8.self), style: Self.style(scalar.style), tag: Self.string(scalar.tag)),
        anchor: Self.string(scalar.anchor))
    default: return .streamEnd
    }
  }

  private static func style(_ style: yaml_scalar_style_t) -> YAMLNode.Scalar.Style {
    switch style {
    case YAML_SINGLE_QUOTED_SCALAR_STYLE: .singleQuoted
    case YAML_DOUBLE_QUOTED_SCALAR_STYLE: .doubleQuoted
    case YAML_LITERAL_SCALAR_STYLE: .literal
    case YAML_FOLDED_SCALAR_STYLE: .folded
    default: .plain
    }
  }

  private static func string(_ pointer: UnsafeMutablePointer<UInt8>?) -> String? {
    pointer.map { String(decodingCString: UnsafePointer($0), as: UTF8.self) }
  }

  private static func mark(_ mark: yaml_mark_t) -> TextMark {
    TextMark(line: Int(mark.line) + 1, column: Int(mark.column) + 1)
  }

  /// The error that the parser stopped with. For bytes that are no text the parser gives an offset instead of a place.
  private func syntaxError() -> YAMLError {
    let state = parser.pointee
    let problem = state.problem.map { String(cString: $0) } ?? "out of memory"
    switch state.error {
    case YAML_READER_ERROR:
      let value = state.problem_value < 0 ? "" : " (0x" + String(state.problem_value, radix: 16) + ")"
      return YAMLError(
        source: source, mark: Self.mark(of: Int(state.problem_offset), in: text), reason: .syntax(problem + value))
    case YAML_SCANNER_ERROR, YAML_PARSER_ERROR:
      let context = state.context.map { String(cString: $0) }
      let place = context.map { "\($0) that began in line \(state.context_mark.line + 1): " } ?? ""
      return YAMLError(source: source, mark: Self.mark(state.problem_mark), reason: .syntax(place + problem))
    default:
      return YAMLError(source: source, mark: nil, reason: .syntax(problem))
    }
  }

  private static func mark(of offset: Int, in text: UnsafeBufferPointer<UInt8>) -> TextMark {
    let before = text.prefix(offset)
    let line = before.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
    return TextMark(
      line: line.count, column: String(decoding: line.last ?? before, as: UTF8.self).unicodeScalars.count + 1)
  }
}
