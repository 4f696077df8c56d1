public import DevrunConfig
internal import DevrunCore

/// Which names are taken: those that a pattern includes, all where there is none, but those that a pattern excludes. `*`
/// in a pattern stands for any characters.
public struct NameFilter: Sendable, Hashable {
  /// The patterns of what is taken; none for everything.
  public var included: [VolumePattern]
  /// The patterns of what is not.
  public var excluded: [VolumePattern]

  /// A filter of the given patterns.
  public init(included: [VolumePattern] = [], excluded: [VolumePattern] = []) {
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
