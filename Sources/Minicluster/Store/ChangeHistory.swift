internal import DevrunKube

/// The last changes of one kind, from which watches read.
struct ChangeHistory {
  /// A change of one object.
  struct Entry {
    /// The store's version after it.
    var version: Int
    /// The object before; `nil` if it was made.
    var old: KubeObject?
    /// The object after it. For a removal: the last state, with the version of the removal.
    var new: KubeObject
    var isRemoval: Bool
  }

  /// How many changes are kept.
  static let limit = 1000

  private var entries: [Entry] = []
  /// The version of the latest change that is forgotten; 0 if none is.
  private(set) var forgotten = 0

  mutating func append(_ entry: Entry) {
    entries.append(entry)
    // In pieces, because to remove the first element moves all others.
    guard entries.count >= Self.limit * 5 / 4 else { return }
    let surplus = entries.count - Self.limit
    forgotten = entries[surplus - 1].version
    entries.removeFirst(surplus)
  }

  /// The changes after a version, in their order; `nil` if some of them are forgotten.
  func entries(after version: Int) -> ArraySlice<Entry>? {
    guard version >= forgotten else { return nil }
    // Binary search: the first entry with a greater version.
    var low = entries.startIndex
    var high = entries.endIndex
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].version > version { high = middle } else { low = middle + 1 }
    }
    return entries[low...]
  }
}
