internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Replaces a file at one stroke: a new file beside it takes its place, with the same owner and mode.
enum FileReplacement {
  /// Replaces the content of a file. At the path there may be a symbolic link, which stays: the file that it leads to is
  /// replaced.
  ///
  /// - Parameters:
  ///   - path: the file's absolute path.
  ///   - change: makes the new content of the old; `nil` leaves the file alone.
  /// - Returns: whether the file was replaced. It is not if somebody else has written to it meanwhile.
  /// - Throws: the kernel's error; `Errno.accessDenied` for a file that nobody may write to.
  static func replace(_ path: String, _ change: ([UInt8]) -> [UInt8]?) throws(Errno) -> Bool {
    let path = try target(of: path)
    guard let version = FileVersion(of: path) else { throw .invalidArgument }
    // The owner of a folder can replace a file that may not be written to. That is not what its mode is for.
    let file = try Descriptor.open(RawString(path), O_RDWR)
    let status = try file.status()
    guard status.st_mode & 0o222 != 0 else { throw .accessDenied }
    guard let bytes = change(try file.readToEnd()) else { return false }
    let new = "\(ConfigPath.folder(of: path))/.devrun-\(String(UInt64.random(in: 0 ... .max), radix: 36))"
    let output = try Descriptor.open(RawString(new), O_WRONLY | O_CREAT | O_EXCL, mode: 0o600)
    var isInPlace = false
    defer { if !isInPlace { unlink(new) } }
    let own = try output.status()
    if own.st_uid != status.st_uid || own.st_gid != status.st_gid {
      try system { fchown(output.number, status.st_uid, status.st_gid) }
    }
    try system { fchmod(output.number, status.st_mode & 0o7777) }
    try output.writeAll(bytes)
    try system { fsync(output.number) }
    guard FileVersion(of: path) == version else { return false }
    try system { rename(new, path) }
    isInPlace = true
    // Which of both is found after a power failure is settled now, if the file system can.
    if let folder = try? Descriptor.open(RawString(ConfigPath.folder(of: path)), O_RDONLY | O_DIRECTORY) {
      _ = fsync(folder.number)
    }
    return true
  }

  /// The path of the file that symbolic links lead to.
  private static func target(of path: String) throws(Errno) -> String {
    guard let resolved = realpath(path, nil) else { throw .last }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
