public import DevrunCore

/// A part of a volume: `sub`, `sub/file`, `sub/*.crt`.
///
/// `*` stands for any run of characters within one name and, as in a shell, not for a dot at its beginning: so `*` does
/// not match `..data`, by which kubelet swaps the contents of a volume. A folder that matches comes with all that is in
/// it.
///
/// What the part is seen as depends on its names without `*` at the beginning, the base: `certs/*.crt` at
/// /etc/certs is /etc/certs/a.crt and so on, as if a shell had copied them; `app/settings.json` at /etc/app.json is that
/// one file, and `certs` at /etc/certs that folder.
public struct VolumePart: Sendable, Hashable, CustomStringConvertible {
  /// The names on the way from the volume's root, perhaps with `*`. At least one; none is empty, `.` or `..`.
  public let names: [String]

  /// Reads a part as it is written, with or without slashes at the ends; `nil` for what leads out of the volume or names
  /// nothing in it.
  public init?(_ text: String) {
    let names = text.split(separator: "/").map(String.init)
    guard !names.isEmpty, !names.contains("."), !names.contains(".."), !text.contains("\0") else { return nil }
    self.names = names
  }

  /// The names before the first that has a `*`; perhaps none, perhaps all.
  public var base: [String] { Array(names.prefix { !$0.contains("*") }) }

  /// Whether no name has a `*`, so that this is one file or one folder.
  public var isExact: Bool { base.count == names.count }

  /// Whether a file or folder of the volume belongs to this part.
  ///
  /// - Parameter path: the names on the way to it from the volume's root.
  public func contains(_ path: [RawString]) -> Bool {
    path.count >= names.count && zip(names, path).allSatisfy(Self.matches)
  }

  /// Whether a folder of the volume may hold something of this part, and so is worth to be looked into.
  ///
  /// - Parameter path: the names on the way to it from the volume's root.
  public func reaches(into path: [RawString]) -> Bool { zip(names, path).allSatisfy(Self.matches) }

  /// The part as a path.
  public var description: String { names.joined(separator: "/") }

  private static func matches(_ pattern: String, _ name: RawString) -> Bool {
    let dot = UInt8(ascii: ".")
    if pattern.hasPrefix("*"), name.bytes.first == dot { return false }
    return VolumePattern(pattern).matches(name.bytes)
  }
}
