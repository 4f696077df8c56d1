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
    case S_IFLNK: return .link(try linkTarget(path))
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

  private static func linkTarget(_ path: RawString) throws(Errno) -> RawString {
    var buffer = [UInt8](repeating: 0, count: Int(PATH_MAX))
    let count = try path.withCString { (path) throws(Errno) in
      try system {
        buffer.withUnsafeMutableBytes { bytes in
          readlink(path, bytes.assumingMemoryBound(to: CChar.self).baseAddress!, bytes.count)
        }
      }
    }
    return RawString(buffer[..<count])
  }
}
