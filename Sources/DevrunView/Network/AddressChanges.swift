internal import DevrunCore

/// Addresses that came and went.
struct AddressChanges: Sendable, Hashable {
  /// Those that came.
  var inserted: [IPAddress] = []
  /// Those that went.
  var removed: [IPAddress] = []

  /// Adds later changes.
  mutating func append(_ later: AddressChanges) {
    inserted += later.inserted
    removed += later.removed
  }
}

/// Addresses that several parts of the view name: one is there as long as a part names it.
///
/// A change costs as much as it has addresses, however many there are.
struct CountedAddresses: Sendable {
  private var counts: [IPAddress: Int] = [:]

  /// How many addresses there are.
  var count: Int { counts.count }

  /// Applies changes.
  ///
  /// - Returns: the addresses that were not there before, and those that are not there any more.
  mutating func apply(_ changes: AddressChanges) -> AddressChanges {
    var result = AddressChanges()
    for address in changes.inserted {
      let count = counts[address, default: 0]
      counts[address] = count + 1
      if count == 0 { result.inserted.append(address) }
    }
    for address in changes.removed {
      guard let count = counts[address] else { continue }
      counts[address] = count > 1 ? count - 1 : nil
      if count == 1 { result.removed.append(address) }
    }
    // What came and went at once was never there.
    guard !result.inserted.isEmpty, !result.removed.isEmpty else { return result }
    let brief = Set(result.inserted).intersection(result.removed).filter { counts[$0] == nil }
    result.inserted.removeAll(where: brief.contains)
    return result
  }
}
