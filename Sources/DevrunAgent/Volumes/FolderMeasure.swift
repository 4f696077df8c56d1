internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunSystem
internal import Glibc

extension FolderSize {
  /// Measures a folder, or a file.
  ///
  /// - Throws: the error of open(2).
  init(path: RawString, selection: PathSelection?) throws(Errno) {
    self.init(bytes: 0, entries: 0)
    var walk = try FolderWalk(path: path, selection: selection)
    while let entry = walk.next() {
      entries += 1
      if case .file(_, let status, _) = entry { bytes += Int(status.st_size) }
    }
    (unreadable, sockets) = (walk.unreadable, walk.sockets)
  }
}
