internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// A reader of small files: it reads a file whole, or refuses it because of its size.
enum BoundedFile {
  /// The largest size of a file, in bytes.
  private static let limit = 16 << 20

  /// The bytes of a file, which may be a pipe.
  ///
  /// - Throws: the kernel's error; `Errno.fileTooLarge` if the file is larger than the limit.
  static func read(_ path: String) throws(Errno) -> [UInt8] {
    try Descriptor.open(RawString(path), O_RDONLY).readToEnd(limit: limit)
  }
}

extension Errno {
  /// Whether a file, or a folder on the way to it, does not exist.
  var isMissing: Bool { self == .noEntry || self == .notADirectory }
}
