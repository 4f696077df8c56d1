public import DevrunCore
internal import Glibc

/// Makes symbolic links (symlinkat(2)) and reads them (readlinkat(2)).
public enum SymbolicLink {
  /// Makes a symbolic link.
  ///
  /// - Parameters:
  ///   - path: absolute, or seen from the folder, or from the working directory where there is no folder.
  ///   - target: what is written in the link.
  ///   - folder: an open folder.
  /// - Throws: the error of symlinkat(2).
  public static func make(_ path: RawString, target: RawString, in folder: Descriptor? = nil) throws(Errno) {
    try path.withCString { (path) throws(Errno) in
      try target.withCString { (target) throws(Errno) in
        _ = try system { symlinkat(target, folder?.number ?? AT_FDCWD, path) }
      }
    }
  }

  /// What a symbolic link leads to, as it is written in it.
  ///
  /// - Parameters:
  ///   - path: absolute, or seen from the folder, or from the working directory where there is no folder.
  ///   - folder: an open folder.
  /// - Throws: the error of readlinkat(2): `Errno.invalidArgument` if there is no link at the path.
  public static func target(of path: RawString, in folder: Descriptor? = nil) throws(Errno) -> RawString {
    // The kernel makes no link that is longer.
    try withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { (buffer) throws(Errno) in
      let count = try path.withCString { (path) throws(Errno) in
        try system { readlinkat(folder?.number ?? AT_FDCWD, path, buffer.baseAddress!, buffer.count) }
      }
      return RawString(UnsafeRawBufferPointer(buffer)[..<count])
    }
  }
}
