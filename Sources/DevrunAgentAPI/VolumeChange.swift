public import DevrunCore

/// A volume as kubelet has it now: which version of its content the link `..data` leads to. Or a volume without versions, of
/// which something has changed.
public struct VolumeChange: Sendable, Hashable {
  /// What stands in the place of the version of a volume that has none. Names of versions begin with two dots.
  public static let withoutVersion: RawString = "changed"

  /// The volume's place among those that are watched.
  public var index: Int
  /// What `..data` leads to: a name that kubelet makes of the time.
  public var version: RawString

  /// A change of the given parts.
  public init(index: Int, version: RawString) {
    self.index = index
    self.version = version
  }

  /// The form on the wire: a line. A name with a line's end in it, which kubelet makes none of, is cut there.
  package var line: [UInt8] {
    Array("\(index) ".utf8) + version.bytes.prefix { $0 != UInt8(ascii: "\n") } + [UInt8(ascii: "\n")]
  }

  /// Reads a line without its end.
  package init?(line: some Collection<UInt8>) {
    guard let space = line.firstIndex(of: UInt8(ascii: " ")),
      let index = Int(String(decoding: line[..<space], as: UTF8.self)), index >= 0
    else { return nil }
    self.init(index: index, version: RawString(Array(line[line.index(after: space)...])))
  }
}
