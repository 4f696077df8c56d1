public import DevrunCore

/// A value of a YAML document, with its place.
public struct YAMLNode: Sendable, Hashable {
  /// What the value is.
  public var content: Content
  /// Where the value begins. The value of an alias has the place of the anchored value.
  public var mark: TextMark

  /// A node of the given content and place.
  public init(_ content: Content, at mark: TextMark) {
    self.content = content
    self.mark = mark
  }

  /// The three kinds of node (YAML 1.2, section 3.2.1.1). Aliases and merge keys are replaced by what they refer to.
  public enum Content: Sendable, Hashable {
    /// A text.
    case scalar(Scalar)
    /// A list.
    case sequence([YAMLNode])
    /// Keys with their values in the order of the document. No key occurs twice.
    case mapping([Entry])
  }

  /// A key of a mapping with its value.
  public struct Entry: Sendable, Hashable {
    /// The key's text as written, quotes and escapes undone.
    public var key: String
    /// The place of the key.
    public var mark: TextMark
    /// The value.
    public var value: YAMLNode

    /// An entry of the given parts.
    public init(key: String, at mark: TextMark, value: YAMLNode) {
      self.key = key
      self.mark = mark
      self.value = value
    }
  }

  /// A text and how it was written, which decides what it means.
  public struct Scalar: Sendable, Hashable {
    /// The text, quotes, escapes and line folding undone.
    public var text: String
    /// How it was written.
    public var style: Style
    /// The tag that was written before it, in its long form (`tag:yaml.org,2002:str`); `nil` if there was none.
    public var tag: String?

    /// A scalar of the given parts.
    public init(_ text: String, style: Style = .plain, tag: String? = nil) {
      self.text = text
      self.style = style
      self.tag = tag
    }

    /// The ways to write a scalar (YAML 1.2, sections 7.3 and 8.1).
    public enum Style: Sendable, Hashable {
      /// Without quotes: the only style whose text may mean something other than a string.
      case plain
      /// '...'
      case singleQuoted
      /// "..."
      case doubleQuoted
      /// |
      case literal
      /// >
      case folded
    }
  }
}

extension YAMLNode {
  /// The node as JSON, as kubectl reads YAML: plain scalars by the rules of `Scalar.resolved`, other scalars as
  /// strings. JSON has no infinities and no NaN, so these are strings as well.
  public var json: JSONValue {
    switch content {
    case .scalar(let scalar): scalar.resolved
    case .sequence(let elements): .array(elements.map(\.json))
    case .mapping(let entries): .object(Dictionary(entries.map { ($0.key, $0.value.json) }, uniquingKeysWith: { $1 }))
    }
  }

  /// Whether this is a scalar that means null (an empty value, `~`, `null`).
  public var isNull: Bool {
    guard case .scalar(let scalar) = content else { return false }
    return scalar.resolved == .null
  }

  /// What kind of value this is, in words for an error message.
  var kind: String {
    switch content {
    case .sequence: "a list"
    case .mapping: "a mapping"
    case .scalar(let scalar):
      switch scalar.resolved {
      case .null: "empty"
      case .bool: "a boolean"
      case .int, .double: "a number"
      default: "a string"
      }
    }
  }
}

extension YAMLNode {
  /// Whether a text within this value holds the character NUL, which no argument of a program may hold.
  public var holdsNUL: Bool {
    switch content {
    case .scalar(let scalar): scalar.text.utf8.contains(0)
    case .sequence(let elements): elements.contains(where: \.holdsNUL)
    case .mapping(let entries): entries.contains { $0.key.utf8.contains(0) || $0.value.holdsNUL }
    }
  }
}
