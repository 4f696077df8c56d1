public import DevrunCore
internal import Glibc

/// Makes folders (mkdirat(2)), lists them (readdir(3)) and removes trees of files (unlinkat(2)).
public enum Directory {
  /// Makes a folder.
  ///
  /// - Parameters:
  ///   - path: absolute, or seen from the folder, or from the working directory where there is no folder.
  ///   - mode: its permissions, without those that umask(2) takes away.
  ///   - folder: an open folder.
  /// - Throws: the error of mkdirat(2).
  public static func make(_ path: RawString, mode: UInt32, in folder: Descriptor? = nil) throws(Errno) {
    try path.withCString { (path) throws(Errno) in
      _ = try system { mkdirat(folder?.number ?? AT_FDCWD, path, mode) }
    }
  }

  /// The names of all entries of a folder but `.` and `..`, sorted by their bytes.
  ///
  /// - Throws: the error of opendir(3) or readdir(3).
  public static func entries(of path: RawString) throws(Errno) -> [RawString] {
    try entries(of: Descriptor.open(path, O_RDONLY | O_DIRECTORY))
  }

  /// The names of all entries of an open folder but `.` and `..`, sorted by their bytes.
  ///
  /// - Throws: the error of fdopendir(3) or readdir(3).
  public static func entries(of folder: Descriptor) throws(Errno) -> [RawString] {
    // The stream takes a descriptor over; this one opens the folder anew, so that each listing begins at its start.
    let own = try system { openat(folder.number, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    guard let stream = fdopendir(own) else {
      let error = Errno.last
      close(own)
      throw error
    }
    defer { closedir(stream) }
    var names: [RawString] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        let error = Errno.last
        if error.rawValue != 0 { throw error }
        return names.sorted()
      }
      let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
      let name = RawString(cString: (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self))
      if name != "." && name != ".." { names.append(name) }
    }
  }

  /// Removes a file, or a folder with all that is in it. What is not there counts as removed.
  ///
  /// The tree may be somebody else's work: links in it are removed and never followed, and folders that may not be
  /// written to are opened up first.
  ///
  /// - Parameters:
  ///   - path: absolute, or seen from the folder, or from the working directory where there is no folder.
  ///   - folder: an open folder.
  /// - Throws: the first failure. All that can be removed is removed all the same.
  public static func removeTree(_ path: RawString, in folder: Descriptor? = nil) throws(Errno) {
    let refusal: Errno
    do throws(Errno) {
      return try unlink(path, 0, in: folder)
    } catch {
      if error == .noEntry { return }
      // It is a folder, or perhaps one: the error depends on the file system.
      guard [.isADirectory, .notPermitted, .accessDenied].contains(error) else { throw error }
      refusal = error
    }
    var failure: Errno?
    do throws(Errno) {
      try removeEntries(of: path, in: folder)
    } catch {
      failure = error == .notADirectory ? refusal : error
    }
    do throws(Errno) {
      try unlink(path, AT_REMOVEDIR, in: folder)
    } catch .noEntry {
      // Somebody else was faster.
    } catch {
      failure = failure ?? error
    }
    if let failure { throw failure }
  }

  private static func unlink(_ path: RawString, _ flags: Int32, in folder: Descriptor?) throws(Errno) {
    try path.withCString { (path) throws(Errno) in
      _ = try system { unlinkat(folder?.number ?? AT_FDCWD, path, flags) }
    }
  }

  /// Removes what is in a folder.
  ///
  /// - Throws: the first failure. All that can be removed is removed all the same.
  private static func removeEntries(of path: RawString, in parent: Descriptor?) throws(Errno) {
    let folder = try openForRemoval(path, in: parent)
    // Fails for somebody else's folder. Whether its entries can be removed is seen by trying.
    _ = fchmod(folder.number, 0o700)
    var failure: Errno?
    for name in try entries(of: folder) {
      do throws(Errno) { try removeTree(name, in: folder) } catch { failure = failure ?? error }
    }
    if let failure { throw failure }
  }

  private static func openForRemoval(_ path: RawString, in parent: Descriptor?) throws(Errno) -> Descriptor {
    let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW
    do throws(Errno) {
      return try Descriptor.open(path, flags, in: parent)
    } catch .accessDenied {
      // A folder that must not even be listed.
      try path.withCString { (path) throws(Errno) in
        _ = try system { fchmodat(parent?.number ?? AT_FDCWD, path, 0o700, 0) }
      }
      return try Descriptor.open(path, flags, in: parent)
    }
  }
}
