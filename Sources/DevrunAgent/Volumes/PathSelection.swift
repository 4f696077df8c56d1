internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Which files of a folder are meant: a relative path whose parts may hold `*`, `?` and `[...]` (glob(7)). What is below a
/// folder that it names is meant as well.
struct PathSelection: Sendable, Hashable {
  private let parts: [RawString]

  /// `nil` for a path without any part.
  init?(_ pattern: [UInt8]) {
    parts = pattern.split(separator: UInt8(ascii: "/")).map { RawString($0) }
    if parts.isEmpty { return nil }
  }

  /// Whether a name is meant.
  enum Match: Equatable {
    case no
    /// Only as a folder, for what may be below.
    case onTheWay
    case selected
  }

  /// Where in a selection a folder is.
  enum Place {
    /// All that is in it is selected.
    case all
    /// So many parts have been matched.
    case parts(Int)

    /// Whether a name in the folder is meant.
    func match(_ name: RawString, _ selection: PathSelection?) -> Match {
      guard case .parts(let count) = self, let selection else { return .selected }
      // kubelet's own folder and link, to which the names that are meant lead.
      if name.bytes.starts(with: "..".utf8) { return .no }
      let result = selection.parts[count].withCString { part in name.withCString { fnmatch(part, $0, FNM_PERIOD) } }
      guard result == 0 else { return .no }
      return count + 1 == selection.parts.count ? .selected : .onTheWay
    }

    /// The place of a folder that was matched in this one.
    func below(_ match: Match) -> Place {
      guard case .parts(let count) = self, match == .onTheWay else { return .all }
      return .parts(count + 1)
    }
  }
}
