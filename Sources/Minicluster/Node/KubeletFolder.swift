internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Folders of the node.
enum KubeletFolder {
  /// Makes a folder, or leaves the one that is there.
  ///
  /// - Parameter mode: its permissions; umask(2) takes nothing away from them.
  /// - Throws: the error of mkdir(2) or chmod(2).
  static func make(_ path: String, mode: UInt32 = 0o755) throws(Errno) {
    do throws(Errno) {
      try Directory.make(RawString(path), mode: mode)
    } catch {
      if error == .exists { return }
      throw error
    }
    try system { chmod(path, mode) }
  }
}
