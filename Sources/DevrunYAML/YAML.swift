internal import CLibYAML

/// The YAML reader: reads one document of a text into a tree of nodes. libyaml does the syntax (YAML 1.1); the composer
/// here does anchors, merge keys and limits.
public enum YAML {
  /// Reads a document. An empty document is null.
  ///
  /// - Parameters:
  ///   - bytes: the text, in UTF-8, or in UTF-16 with a byte order mark.
  ///   - source: the file's name, for errors.
  ///   - limits: what the document may have at most.
  public static func parse(
    _ bytes: [UInt8], source: String, limits: YAMLLimits = YAMLLimits()
  ) throws(YAMLError) -> YAMLNode {
    try compose(bytes, source: source, limits: limits) { composer throws(YAMLError) in try composer.document() }
  }

  /// Reads the first document of a text as kubectl does: further documents are not looked at, and of a key that occurs
  /// twice the last counts.
  public static func firstDocument(
    of bytes: [UInt8], source: String, limits: YAMLLimits = YAMLLimits()
  ) throws(YAMLError) -> YAMLFirstDocument {
    try compose(bytes, source: source, limits: limits) { composer throws(YAMLError) in try composer.firstDocument() }
  }

  /// Reads all documents of a text, in their order. A document that is null, as between two lines `---`, is none.
  public static func documents(
    of bytes: [UInt8], source: String, limits: YAMLLimits = YAMLLimits()
  ) throws(YAMLError) -> [YAMLNode] {
    try compose(bytes, source: source, limits: limits) { composer throws(YAMLError) in try composer.documents() }
  }

  private static func compose<Result>(
    _ bytes: [UInt8], source: String, limits: YAMLLimits,
    _ body: (inout YAMLComposer) throws(YAMLError) -> Result
  ) throws(YAMLError) -> Result {
    guard bytes.count <= limits.bytes else {
      throw YAMLError(source: source, mark: nil, reason: .tooLarge(limit: limits.bytes))
    }
    return try bytes.withUnsafeBufferPointer { (text) throws(YAMLError) in
      let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
      defer { parser.deallocate() }
      guard yaml_parser_initialize(parser) == 1 else {
        throw YAMLError(source: source, mark: nil, reason: .syntax("out of memory"))
      }
      defer { yaml_parser_delete(parser) }
      yaml_parser_set_input_string(parser, text.baseAddress, text.count)
      var composer = YAMLComposer(events: YAMLEvents(parser: parser, text: text, source: source), limits: limits)
      return try body(&composer)
    }
  }
}
