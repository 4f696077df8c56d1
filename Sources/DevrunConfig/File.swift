internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// A file's path and what is done with it here: joined to a folder, looked for, read whole. No Foundation, since
/// nothing more is needed.
enum File {
  /// Why a file cannot be read.
  struct ReadError: Error {
    /// The kernel's error, or `EFBIG` where the file is larger than allowed.
    var code: Int32

    /// The error in the C library's words.
    var reason: String { Errno(rawValue: code).description }
    /// Whether the file or a folder on the way to it does not exist.
    var isMissing: Bool { code == ENOENT || code == ENOTDIR }
  }

  /// The bytes of a file, which may be a pipe.
  ///
  /// - Throws: `ReadError`.
  static func read(_ path: String, limit: Int = 16 << 20) throws(ReadError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw ReadError(code: errno) }
    defer { close(descriptor) }
    var contents: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 64 << 10)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 {
        if errno == EINTR { continue }
        throw ReadError(code: errno)
      }
      if count == 0 { return contents }
      guard contents.count + count <= limit else { throw ReadError(code: EFBIG) }
      contents += buffer[..<count]
    }
  }

  /// Whether a regular file, a pipe or the like is there, that is: something to read, no folder.
  static func isReadableKind(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFDIR
  }

  /// The path as seen from a folder: unchanged if it is absolute.
  static func path(_ path: String, in directory: String) -> String {
    if path.hasPrefix("/") { return path }
    var rest = path[...]
    while rest.hasPrefix("./") { rest = rest.dropFirst(2).drop { $0 == "/" } }
    return directory.hasSuffix("/") ? directory + rest : "\(directory)/\(rest)"
  }

  /// The folder that holds an absolute path; `/` for the root.
  static func directory(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }
}
