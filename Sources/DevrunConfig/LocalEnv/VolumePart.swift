/// A part of a volume: `sub`, `sub/file`, `sub/*.crt`.
///
/// `*` stands for any run of characters within one name and, as in a shell, not for a dot at its beginning: so `*` does
/// not match `..data`, by which kubelet swaps the contents of a volume. A folder that matches comes with all that is in
/// it. The agent does the matching.
///
/// What the part is seen as depends on its names without `*` at the beginning, the base: `certs/*.crt` at /etc/certs is
/// /etc/certs/a.crt and so on, as if a shell had copied them; `app/settings.json` at /etc/app.json is that one file,
/// and `certs` at /etc/certs that folder.
public struct VolumePart: Sendable, Hashable, CustomStringConvertible {
  /// The names on the way from the volume's root, perhaps with `*`. At least one; none is empty, `.` or `..`.
  public let names: [String]

  /// Reads a part as it is written, with or without slashes at the ends; `nil` for what leads out of the volume or
  /// names nothing in it.
  public init?(_ text: String) {
    let names = text.split(separator: "/").map(String.init)
    guard !names.isEmpty, !names.contains("."), !names.contains(".."), !text.contains("\0") else { return nil }
    self.names = names
  }

  /// The names before the first that has a `*`; perhaps none, perhaps all.
  public var base: [String] { Array(names.prefix { !$0.contains("*") }) }

  /// The part as a path.
  public var description: String { names.joined(separator: "/") }
}
