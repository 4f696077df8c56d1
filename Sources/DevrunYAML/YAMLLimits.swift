/// What a YAML document may have at most. A document beyond the limits is refused, however long it would take to read.
public struct YAMLLimits: Sendable, Hashable {
  /// The size of the text in bytes.
  public var bytes: Int
  /// The levels of nested lists and mappings.
  public var depth: Int
  /// The number of nodes that all aliases and merge keys together stand for. Nine lists of nine aliases each, nested
  /// nine levels deep, are a small file and a billion nodes.
  public var aliasedNodes: Int

  /// Limits of the given sizes; by default 16 MiB, 100 levels and 100,000 aliased nodes.
  public init(bytes: Int = 16 << 20, depth: Int = 100, aliasedNodes: Int = 100_000) {
    self.bytes = bytes
    self.depth = depth
    self.aliasedNodes = aliasedNodes
  }
}
