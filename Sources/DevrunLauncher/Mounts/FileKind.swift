import DevrunCore
import DevrunSystem
import Glibc

/// What is at a path.
enum FileKind: Hashable {
  case directory(mode: UInt32)
  case link(RawString)
  /// A regular file, a socket, a device, a pipe.
  case file

  /// What is at the path itself. `nil`: nothing.
  static func at(_ path: RawString) throws(Errno) -> FileKind? {
    var information = stat()
    do throws(Errno) {
      _ = try path.withCString { (path) throws(Errno) in try system { lstat(path, &information) } }
    } catch .noEntry, .notADirectory {
      return nil
    }
    switch information.st_mode & S_IFMT {
    case S_IFDIR: return .directory(mode: information.st_mode & 0o7777)
    case S_IFLNK: return .link(try SymbolicLink.target(of: path))
    default: return .file
    }
  }

  /// What is at the path, through symbolic links: a directory or a file. `nil`: nothing.
  static func following(_ path: RawString) throws(Errno) -> FileKind? {
    var information = stat()
    do throws(Errno) {
      _ = try path.withCString { (path) throws(Errno) in try system { stat(path, &information) } }
    } catch .noEntry, .notADirectory {
      return nil
    }
    return information.st_mode & S_IFMT == S_IFDIR ? .directory(mode: information.st_mode & 0o7777) : .file
  }
}
