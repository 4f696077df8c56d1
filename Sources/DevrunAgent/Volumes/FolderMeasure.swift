internal import DevrunAgentAPI
internal import DevrunTunnel
internal import Glibc

extension FolderSize {
  /// Measures a folder, or a file.
  ///
  /// - Throws: an `IOError`.
  init(path: [UInt8], selection: PathSelection?) throws {
    self.init(bytes: 0, entries: 0)
    var walk = try FolderWalk(path: path, selection: selection)
    while let entry = walk.next() {
      entries += 1
      if case .file(_, let status, let descriptor) = entry {
        bytes += Int(status.st_size)
        close(descriptor)
      }
    }
    unreadable = walk.unreadable
  }
}
