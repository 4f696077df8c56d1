public import DevrunCore
public import DevrunSystem

/// One file, folder or symbolic link of an archive.
public struct ArchiveEntry: Sendable, Hashable {
  /// What an entry is.
  public enum Kind: Sendable, Hashable {
    /// A folder.
    case directory
    /// A file of so many bytes.
    case file(size: Int)
    /// A symbolic link with this text.
    case symbolicLink(target: RawString)
  }

  /// The names on the way from the archive's root; empty for the root itself. None is `.`, `..` or holds a slash.
  public var path: [RawString]
  /// What the entry is.
  public var kind: Kind
  /// The permission bits, `0o777` at most.
  public var mode: UInt16
  /// When its content was last changed, in seconds since 1970.
  public var modified: Int64

  /// An entry of the given parts.
  public init(path: [RawString], kind: Kind, mode: UInt16, modified: Int64) {
    self.path = path
    self.kind = kind
    self.mode = mode
    self.modified = modified
  }

  /// The path as text, for people.
  public var name: String { path.isEmpty ? "." : path.map(\.description).joined(separator: "/") }
}

/// What an archive's reader takes at most.
public struct ArchiveLimits: Sendable, Hashable {
  /// The bytes of all files together.
  public var totalSize: Int
  /// The number of entries.
  public var entries: Int

  /// Limits on the bytes of all files together and on the number of entries.
  public init(totalSize: Int, entries: Int) {
    self.totalSize = totalSize
    self.entries = entries
  }

  /// The bytes of one path or link target: PATH_MAX of Linux.
  static let pathLength = 4096
  /// The bytes of one extended header: two paths and some numbers.
  static let extendedHeader = 16 << 10
  /// The number of names on a path.
  static let depth = 128
}

/// What is wrong with an archive, or with the place that it is unpacked to.
public enum ArchiveError: UserFacingError, Hashable {
  /// The bytes are no tar archive; what was found.
  case malformed(String)
  /// A name that would lead out of the archive's root.
  case unsafeName(String)
  /// A kind of entry that devrun does not make: devices, hard links, others.
  case unsupportedEntry(String, type: UInt8)
  /// The same name twice, or a file where a folder was.
  case conflictingEntry(String)
  /// The files together are larger than the caller allows, in bytes.
  case tooLarge(limit: Int)
  /// There are more entries than the caller allows.
  case tooManyEntries(limit: Int)
  /// The archive ends before its end.
  case truncated
  /// A system call failed on this machine.
  case system(call: String, path: String, Errno)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .malformed(let what): ErrorMessage("the volume's archive is damaged", why: what)
    case .unsafeName(let name): ErrorMessage("the volume's archive holds the unsafe name '\(name)'")
    case .unsupportedEntry(let name, let type):
      ErrorMessage("the volume's archive holds '\(name)', which is neither file, folder nor link", why: "type \(type)")
    case .conflictingEntry(let name): ErrorMessage("the volume's archive holds '\(name)' twice")
    case .tooLarge(let limit): ErrorMessage("the volume is larger than \(limit) bytes")
    case .tooManyEntries(let limit): ErrorMessage("the volume holds more than \(limit) files")
    case .truncated: ErrorMessage("the volume's archive ended too early")
    case .system(let call, let path, let error):
      ErrorMessage("cannot unpack the volume to \(path)", why: "\(call): \(error)")
    }
  }
}
