public import DevrunConfig
internal import DevrunCore

/// Which names are taken: those that a pattern includes, or all if there is no such pattern, except those that a pattern
/// excludes.
public struct NameFilter: Sendable, Hashable {
  /// The patterns of what is taken; none for everything.
  public var included: [Wildcard]
  /// The patterns of what is not.
  public var excluded: [Wildcard]

  /// A filter of the given patterns.
  public init(included: [Wildcard] = [], excluded: [Wildcard] = []) {
    self.included = included
    self.excluded = excluded
  }

  /// Whether a name is taken.
  func takes(_ name: RawString) -> Bool {
    let text = name.description
    guard included.isEmpty || included.contains(where: { $0.matches(text) }) else { return false }
    return !excluded.contains { $0.matches(text) }
  }
}
