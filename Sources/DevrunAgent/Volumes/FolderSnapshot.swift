// kubelet renews a volume by one rename of the link `..data`. A walk that comes by in that moment would see files of two
// versions, such as a new certificate and the key of the old one. So all files of such a volume are opened before the first
// of them is read, and the link is looked at before and after that. What is open stays as it is, whatever kubelet removes.

internal import DevrunCore
internal import DevrunSystem

/// What a folder with the link `..data` held at one moment.
enum FolderSnapshot {
  /// How many entries are opened at most: a process may have 1024 open files on many nodes.
  private static let most = 512
  /// How often it is tried. A volume is renewed every minute at most.
  private static let attempts = 5

  /// The entries of a walk, with all files open.
  ///
  /// - Parameters:
  ///   - path: the folder.
  ///   - selection: what of it is meant; `nil` for all.
  /// - Returns: `nil` if kubelet does not renew the folder, if it holds too much, or if it changes all the time.
  /// - Throws: the error of open(2).
  static func entries(of path: RawString, selection: PathSelection?) throws(Errno) -> [FolderEntry]? {
    for _ in 0..<attempts {
      guard let version = version(of: path) else { return nil }
      var walk = try FolderWalk(path: path, selection: selection)
      var entries: [FolderEntry] = []
      while let entry = walk.next() {
        entries.append(entry)
        if entries.count > most { return nil }
      }
      if self.version(of: path) == version { return entries }
    }
    return nil
  }

  private static func version(of path: RawString) -> RawString? {
    try? SymbolicLink.target(of: RawString(path.bytes + Array("/..data".utf8)))
  }
}
