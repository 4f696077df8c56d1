internal import CLibYAML
internal import DevrunCore

/// The YAML reader: one document of a file to a tree of nodes. libyaml does the syntax (YAML 1.1), the composer here
/// does anchors, merge keys and limits.
public enum YAML {
  /// What a document may have at most. A file beyond is refused rather than read for as long as it takes.
  public struct Limits: Sendable, Hashable {
    /// The size of the text in bytes.
    public var bytes: Int
    /// The levels of nested lists and mappings.
    public var depth: Int
    /// The number of nodes that aliases and merge keys stand for, all counted: nine lists of nine aliases each, nine
    /// times over, are a small file and a billion nodes.
    public var aliasedNodes: Int

    /// Limits of the given sizes; by default 16 MiB, 100 levels and 100,000 aliased nodes.
    public init(bytes: Int = 16 << 20, depth: Int = 100, aliasedNodes: Int = 100_000) {
      self.bytes = bytes
      self.depth = depth
      self.aliasedNodes = aliasedNodes
    }
  }

  /// Reads a document. An empty one is null.
  ///
  /// - Parameters:
  ///   - bytes: the text, in UTF-8 or with a byte order mark that says otherwise.
  ///   - source: the file's name, for errors.
  ///   - limits: what the document may have at most.
  /// - Throws: `YAMLError`.
  public static func parse(_ bytes: [UInt8], source: String, limits: Limits = Limits()) throws -> YAMLNode {
    guard bytes.count <= limits.bytes else {
      throw YAMLError(source: source, mark: nil, reason: .tooLarge(limit: limits.bytes))
    }
    return try bytes.withUnsafeBufferPointer { text in
      let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
      defer { parser.deallocate() }
      guard yaml_parser_initialize(parser) == 1 else {
        throw YAMLError(source: source, mark: nil, reason: .syntax("out of memory"))
      }
      defer { yaml_parser_delete(parser) }
      yaml_parser_set_input_string(parser, text.baseAddress, text.count)
      var composer = YAMLComposer(events: YAMLEvents(parser: parser, text: text, source: source), limits: limits)
      return try composer.document()
    }
  }
}
