import DevrunCore
import Glibc

/// What a directory holds.
enum DirectoryListing {
  /// The names of all entries but `.` and `..`, sorted by their bytes.
  static func names(in path: RawString) throws(Errno) -> [RawString] {
    guard let directory = path.withCString({ opendir($0) }) else { throw Errno(rawValue: errno) }
    defer { closedir(directory) }
    var names: [RawString] = []
    while true {
      errno = 0
      guard let entry = readdir(directory) else {
        if errno != 0 { throw Errno(rawValue: errno) }
        return names.sorted()
      }
      let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
      let name = (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
      let text = RawString(cString: name)
      if text != "." && text != ".." { names.append(text) }
    }
  }
}
