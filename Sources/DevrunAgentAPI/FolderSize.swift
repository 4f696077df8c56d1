/// How much a folder holds.
public struct FolderSize: Sendable, Hashable {
  /// The bytes of all its files.
  public var bytes: Int
  /// The number of files, folders and links, itself included.
  public var entries: Int
  /// The number of files and folders that the container's user may not read.
  public var unreadable: Int
  /// The number of Unix sockets, which are in no copy.
  public var sockets: Int

  /// A size of the given parts.
  public init(bytes: Int, entries: Int, unreadable: Int = 0, sockets: Int = 0) {
    self.bytes = bytes
    self.entries = entries
    self.unreadable = unreadable
    self.sockets = sockets
  }

  /// The form on the wire: four numbers.
  package var line: [UInt8] { Array("\(bytes) \(entries) \(unreadable) \(sockets)".utf8) }

  /// Reads the form on the wire.
  package init?(line: [UInt8]) {
    let numbers = line.split(separator: UInt8(ascii: " ")).map { Int(String(decoding: $0, as: UTF8.self)) }
    guard numbers.count == 4, let bytes = numbers[0], let entries = numbers[1], let unreadable = numbers[2],
      let sockets = numbers[3]
    else { return nil }
    self.init(bytes: bytes, entries: entries, unreadable: unreadable, sockets: sockets)
  }
}
