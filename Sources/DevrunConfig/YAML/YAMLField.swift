public import DevrunCore

/// A node together with the way to it, so that an error about its type can tell file, line, column and path.
///
/// The accessors throw `YAMLError` where the value is not of the type asked for.
public struct YAMLField: Sendable {
  /// The value.
  public var node: YAMLNode
  /// The file's name as the user knows it.
  public var source: String
  /// The way from the document's root: `clusters[0].cluster.server`. Empty for the root.
  public var path: String

  /// The root of a document.
  public init(root: YAMLNode, source: String) {
    self.init(node: root, source: source, path: "")
  }

  init(node: YAMLNode, source: String, path: String) {
    self.node = node
    self.source = source
    self.path = path
  }

  /// The place of the value.
  public var position: TextPosition { TextPosition(source: source, mark: node.mark) }

  /// A key of a mapping and its value.
  public struct Member: Sendable {
    /// The key.
    public var key: String
    /// Where the key stands.
    public var mark: TextMark
    /// The value.
    public var value: YAMLField
  }

  /// The members of a mapping, in order; none where the value is null.
  public func members() throws -> [Member] {
    if node.isNull { return [] }
    guard case .mapping(let entries) = node.content else { throw mustBe("a mapping") }
    return entries.map { entry in
      Member(
        key: entry.key, mark: entry.mark,
        value: YAMLField(node: entry.value, source: source, path: path.isEmpty ? entry.key : "\(path).\(entry.key)"))
    }
  }

  /// The member of the given name; `nil` where there is none or it is null.
  public func member(_ name: String) throws -> YAMLField? {
    guard let member = try members().first(where: { $0.key == name }), !member.value.node.isNull else { return nil }
    return member.value
  }

  /// The member of the given name, which must be there and not null.
  public func required(_ name: String) throws -> YAMLField {
    guard let member = try member(name) else {
      throw error("must have '\(name)'")
    }
    return member
  }

  /// The elements of a list, in order; none where the value is null.
  public func elements() throws -> [YAMLField] {
    if node.isNull { return [] }
    guard case .sequence(let elements) = node.content else { throw mustBe("a list") }
    return elements.enumerated().map { YAMLField(node: $1, source: source, path: "\(path)[\($0)]") }
  }

  /// The text of a string.
  public func string() throws -> String {
    guard case .scalar(let scalar) = node.content else { throw mustBe("a string") }
    guard case .string(let text) = scalar.resolved else {
      // The text is not repeated: it may be a token.
      throw mustBe("a string", remedy: node.isNull ? nil : "put it in quotes")
    }
    return text
  }

  /// The text of any scalar but null as it was written: `8080` and `on` need no quotes.
  public func text() throws -> String {
    guard case .scalar(let scalar) = node.content, !node.isNull else {
      throw mustBe("a text", remedy: node.isNull ? "write \"\" for an empty text" : nil)
    }
    return scalar.text
  }

  /// A truth value.
  public func bool() throws -> Bool {
    guard case .scalar(let scalar) = node.content, case .bool(let value) = scalar.resolved else {
      throw mustBe("true or false")
    }
    return value
  }

  /// A whole number.
  public func int() throws -> Int {
    guard case .scalar(let scalar) = node.content, case .int(let value) = scalar.resolved else {
      throw mustBe("a whole number")
    }
    return Int(value)
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
