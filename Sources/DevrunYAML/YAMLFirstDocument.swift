public import DevrunCore

/// The first document of a text, read as kubectl reads it.
public struct YAMLFirstDocument: Sendable, Hashable {
  /// The document's value.
  public var root: YAMLNode
  /// The keys that occur twice in a mapping. The last one counts.
  public var doubledKeys: [DoubledKey]

  /// A key that occurs twice.
  public struct DoubledKey: Sendable, Hashable {
    /// The key.
    public var key: String
    /// The place of the one that does not count.
    public var first: TextMark
    /// The place of the one that counts instead of it.
    public var last: TextMark
  }
}
