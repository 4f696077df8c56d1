public import DevrunCore

/// A node together with the way to it, for errors that name file, line, column and path.
///
/// An accessor throws if the value is not of the type that was asked for.
public struct YAMLField: Sendable {
  /// The value.
  public var node: YAMLNode
  /// The file's name, as the user wrote or found it.
  public var source: String
  /// The way from the document's root: `clusters[0].cluster.server`. Empty for the root.
  public var path: String

  /// A value of a document.
  ///
  /// - Parameters:
  ///   - node: the value.
  ///   - source: the file's name, for errors.
  ///   - path: the way from the document's root; empty for the root.
  public init(_ node: YAMLNode, source: String, path: String = "") {
    self.node = node
    self.source = source
    self.path = path
  }

  /// Reads a document: its root.
  ///
  /// - Parameters:
  ///   - bytes: the text, in UTF-8, or in UTF-16 with a byte order mark.
  ///   - source: the file's name, for errors.
  public init(parsing bytes: [UInt8], source: String) throws(YAMLError) {
    self.init(try YAML.parse(bytes, source: source), source: source)
  }

  /// The place of the value.
  public var position: TextPosition { TextPosition(source: source, mark: node.mark) }

  /// A key of a mapping and its value.
  public struct Member: Sendable {
    /// The key.
    public var key: String
    /// The place of the key.
    public var mark: TextMark
    /// The value.
    public var value: YAMLField
  }

  /// The members of a mapping, in order; none if the value is null.
  public func members() throws(YAMLError) -> [Member] {
    if node.isNull { return [] }
    guard case .mapping(let entries) = node.content else { throw mustBe("a mapping") }
    return entries.map { entry in
      Member(
        key: entry.key, mark: entry.mark,
        value: YAMLField(entry.value, source: source, path: path.isEmpty ? entry.key : "\(path).\(entry.key)"))
    }
  }

  /// The member of the given name; `nil` if there is none or it is null.
  public func member(_ name: String) throws(YAMLError) -> YAMLField? {
    guard let member = try members().first(where: { $0.key == name }), !member.value.node.isNull else { return nil }
    return member.value
  }

  /// The member of the given name, which must be there and not null.
  public func required(_ name: String) throws(YAMLError) -> YAMLField {
    guard let member = try member(name) else {
      throw error("must have '\(name)'")
    }
    return member
  }

  /// The elements of a list, in order; none if the value is null.
  public func elements() throws(YAMLError) -> [YAMLField] {
    if node.isNull { return [] }
    guard case .sequence(let elements) = node.content else { throw mustBe("a list") }
    return elements.enumerated().map { YAMLField($1, source: source, path: "\(path)[\($0)]") }
  }

  /// The text of a string.
  public func string() throws(YAMLError) -> String {
    guard case .scalar(let scalar) = node.content else { throw mustBe("a string") }
    guard case .string(let text) = scalar.resolved else {
      // The text is not repeated: it may be a token.
      throw mustBe("a string", remedy: node.isNull ? nil : "put it in quotes")
    }
    return text
  }

  /// The text of any scalar but null as it was written: `8080` and `on` need no quotes.
  public func text() throws(YAMLError) -> String {
    guard case .scalar(let scalar) = node.content, !node.isNull else {
      throw mustBe("a text", remedy: node.isNull ? "write \"\" for an empty text" : nil)
    }
    return scalar.text
  }

  /// A truth value.
  public func bool() throws(YAMLError) -> Bool {
    guard case .scalar(let scalar) = node.content, case .bool(let value) = scalar.resolved else {
      throw mustBe("true or false")
    }
    return value
  }

  /// An error about this value: `problem` follows the path ("must be a string").
  public func error(_ problem: String, remedy: String? = nil) -> YAMLError {
    YAMLError(
      source: source, mark: node.mark, reason: .unexpected(path: path, problem: problem, remedy: remedy))
  }

  private func mustBe(_ type: String, remedy: String? = nil) -> YAMLError {
    error("must be \(type), but is \(node.kind)", remedy: remedy)
  }
}
