internal import CLinux
public import DevrunCore
internal import Glibc

/// The POSIX access control list of a file or a folder (acl(5)).
///
/// If there is one, the group's bits of the mode are the list's mask: the most that the owning group, and the users and
/// groups that the list names, may do.
public struct AccessList: Sendable, Hashable {
  /// Whom an entry is for.
  public enum Subject: Sendable, Hashable {
    /// The file's owner.
    case owner
    /// A user that the list names.
    case user(UInt32)
    /// The file's group.
    case owningGroup
    /// A group that the list names.
    case group(UInt32)
    /// Everybody else.
    case others
  }

  /// Those who may write, in the order of the list.
  public var writers: [Subject]

  /// The list of what a path leads to, symbolic links followed; `nil` if it has none.
  ///
  /// - Throws: the error of getxattr(2); `Errno.invalidArgument` for a list of another version.
  public init?(of path: RawString) throws(Errno) {
    // The largest attribute that the kernel has.
    var bytes = [UInt8](repeating: 0, count: 65536)
    let count = path.withCString { path in
      devrun_get_attribute(path, "system.posix_acl_access", &bytes, bytes.count)
    }
    if [ENODATA, EOPNOTSUPP, ENOSYS].contains(Int32(-count)) { return nil }
    try self.init(bytes: bytes.prefix(try shim { count }))
  }

  /// Reads `posix_acl_xattr_header` and its `posix_acl_xattr_entry` of linux/posix_acl_xattr.h.
  private init(bytes: ArraySlice<UInt8>) throws(Errno) {
    func number(at index: Int, bytes count: Int) -> UInt32 {
      bytes[index..<index + count].reversed().reduce(0) { $0 << 8 | UInt32($1) }
    }
    guard bytes.count >= 4, bytes.count % 8 == 4, number(at: 0, bytes: 4) == 2 else { throw .invalidArgument }
    var found: [(subject: Subject, mayWrite: Bool)] = []
    var maskMayWrite = true
    for index in stride(from: 4, to: bytes.count, by: 8) {
      let mayWrite = number(at: index + 2, bytes: 2) & 2 != 0
      let id = number(at: index + 4, bytes: 4)
      switch number(at: index, bytes: 2) {
      case 0x01: found.append((.owner, mayWrite))
      case 0x02: found.append((.user(id), mayWrite))
      case 0x04: found.append((.owningGroup, mayWrite))
      case 0x08: found.append((.group(id), mayWrite))
      case 0x10: maskMayWrite = mayWrite
      case 0x20: found.append((.others, mayWrite))
      default: throw .invalidArgument
      }
    }
    writers = found.filter { entry in
      entry.mayWrite && (maskMayWrite || entry.subject == .owner || entry.subject == .others)
    }.map(\.subject)
  }
}
