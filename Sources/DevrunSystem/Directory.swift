public import DevrunCore
internal import Glibc

/// Listing folders (readdir(3)).
public enum Directory {
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
}
