// Writes the files of a volume so that readers see all of one state or all of the next, as kubelet does:
//
//     ..2026_11_26_15_48_02.971141770/a    the files
//     ..data -> ..2026_11_26_15_48_02.971141770
//     a -> ..data/a
//
// A new state is written into a folder of its own. Then `..data` is replaced by one rename(2), and the old folder goes.

internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// Writes one volume.
struct VolumeWriter: Sendable {
  private static let data = "..data"

  /// The volume's folder, which exists.
  let folder: String

  /// Shows files in the folder, in the place of those that it has shown before.
  ///
  /// - Parameters:
  ///   - files: the files by their paths.
  ///   - previous: what the folder shows now.
  /// - Throws: the error of a system call; the folder shows what it did before then.
  func write(_ files: [String: VolumeFile], after previous: [String: VolumeFile]?) throws(Errno) {
    if files == previous { return }
    let time = WallTime.now
    let name = "..\(time.folderText).\(time.nanoseconds)"
    let old = try currentFolder()
    try KubeletFolder.make("\(folder)/\(name)")
    do throws(Errno) {
      for (path, file) in files { try write(file, at: path, in: "\(folder)/\(name)") }
      try show(name)
    } catch {
      // The first failure counts; what is left of the new folder goes with the volume at the latest.
      _ = try? Directory.removeTree(RawString("\(folder)/\(name)"))
      throw error
    }
    try link(files, after: previous ?? [:])
    if let old { try Directory.removeTree(RawString("\(folder)/\(old)")) }
  }

  private func currentFolder() throws(Errno) -> String? {
    do throws(Errno) {
      return try SymbolicLink.target(of: RawString("\(folder)/\(Self.data)")).description
    } catch .noEntry {
      return nil
    }
  }

  private func write(_ file: VolumeFile, at path: String, in top: String) throws(Errno) {
    var place = top
    for part in path.split(separator: "/").dropLast() {
      place += "/\(part)"
      try KubeletFolder.make(place)
    }
    let descriptor = try Descriptor.open(
      RawString("\(top)/\(path)"), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o600)
    try descriptor.writeAll(file.bytes)
    // Not by the mode of open(2), from which umask(2) takes bits away.
    try system { fchmod(descriptor.number, file.mode) }
  }

  /// Makes `..data` lead to another folder.
  private func show(_ name: String) throws(Errno) {
    let temporary = "\(folder)/..data_tmp"
    do throws(Errno) {
      try SymbolicLink.make(RawString(temporary), target: RawString(name))
    } catch .exists {
      try system { unlink(temporary) }
      try SymbolicLink.make(RawString(temporary), target: RawString(name))
    }
    try system { rename(temporary, "\(folder)/\(Self.data)") }
  }

  /// Makes the links that users see, one for each first part of a path, and removes those to nothing.
  private func link(_ files: [String: VolumeFile], after previous: [String: VolumeFile]) throws(Errno) {
    let (names, old) = (Self.names(of: files), Self.names(of: previous))
    for name in names.subtracting(old) {
      do throws(Errno) {
        try SymbolicLink.make(RawString("\(folder)/\(name)"), target: RawString("\(Self.data)/\(name)"))
      } catch .exists {}
    }
    for name in old.subtracting(names) { try Directory.removeTree(RawString("\(folder)/\(name)")) }
  }

  private static func names(of files: [String: VolumeFile]) -> Set<String> {
    Set(files.keys.compactMap { $0.split(separator: "/").first.map(String.init) })
  }
}
