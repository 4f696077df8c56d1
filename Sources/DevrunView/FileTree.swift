internal import DevrunCore
internal import Glibc

/// Removes trees of files whose content came from elsewhere: links are removed, never followed, and folders that may not be
/// written to are opened up first.
enum FileTree {
  /// Removes a file or a folder with all that is in it. What is not there counts as removed.
  ///
  /// - Returns: 0, or the errno of the first failure; the rest is removed all the same.
  static func remove(_ path: String) -> Int32 { remove(path, in: AT_FDCWD) }

  /// As `remove(_:)`, for a path that need not be text.
  static func remove(_ path: RawString) -> Int32 {
    remove((path.bytes + [0]).map { CChar(bitPattern: $0) }, in: AT_FDCWD)
  }

  // Names are bytes here: a file of the cluster's need not have one that is text.
  private static func remove(_ name: UnsafePointer<CChar>, in parent: Int32) -> Int32 {
    if unlinkat(parent, name, 0) == 0 || errno == ENOENT { return 0 }
    guard errno == EISDIR || errno == EPERM || errno == EACCES else { return errno }
    var failure = empty(name, in: parent)
    if unlinkat(parent, name, AT_REMOVEDIR) != 0, errno != ENOENT, failure == 0 { failure = errno }
    return failure
  }

  /// Removes what is in a folder.
  private static func empty(_ name: UnsafePointer<CChar>, in parent: Int32) -> Int32 {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
    var descriptor = openat(parent, name, flags)
    if descriptor < 0, errno == EACCES, fchmodat(parent, name, 0o700, 0) == 0 {
      descriptor = openat(parent, name, flags)
    }
    guard descriptor >= 0 else { return errno }
    // The stream owns the descriptor from here on.
    _ = fchmod(descriptor, 0o700)
    guard let folder = fdopendir(descriptor) else {
      let failure = errno
      close(descriptor)
      return failure
    }
    defer { closedir(folder) }
    var failure: Int32 = 0
    while let entry = readdir(folder) {
      let result = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { child in
          strcmp(child, ".") == 0 || strcmp(child, "..") == 0 ? 0 : remove(child, in: descriptor)
        }
      }
      if failure == 0 { failure = result }
    }
    return failure
  }
}
