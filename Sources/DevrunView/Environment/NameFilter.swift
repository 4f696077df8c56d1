public import DevrunConfig
internal import DevrunCore

/// Which of the container's variables are taken.
///
/// Without a pattern that includes names, all are but those that describe the image (`ImageVariables`). A pattern that
/// is the name of such a variable adds it. Any other pattern makes a selection: of all variables, only those are taken
/// whose names match a pattern. What a pattern excludes is never taken.
public struct NameFilter: Sendable, Hashable {
  /// The patterns of what is taken.
  public var included: [Wildcard]
  /// The patterns of what is not.
  public var excluded: [Wildcard]

  /// A filter of the given patterns.
  public init(included: [Wildcard] = [], excluded: [Wildcard] = []) {
    self.included = included
    self.excluded = excluded
  }

  /// What the patterns mean for the variables of an image.
  var selection: Selection {
    let addsOnly = included.allSatisfy { !$0.text.contains("*") && ImageVariables.contains(RawString($0.text)) }
    return Selection(filter: self, takesOthers: addsOnly)
  }

  /// A filter whose patterns have been looked at.
  struct Selection {
    fileprivate var filter: NameFilter
    /// Whether names are taken that no pattern includes.
    fileprivate var takesOthers: Bool

    /// Whether a name is taken, unless it is left out because it describes the image.
    func takes(_ name: RawString) -> Bool {
      (takesOthers || asksFor(name)) && !matches(name, filter.excluded)
    }

    /// Whether a pattern includes the name, so that it is taken even if it describes the image.
    func asksFor(_ name: RawString) -> Bool { matches(name, filter.included) }

    private func matches(_ name: RawString, _ patterns: [Wildcard]) -> Bool {
      guard !patterns.isEmpty else { return false }
      let text = name.description
      return patterns.contains { $0.matches(text) }
    }
  }
}
