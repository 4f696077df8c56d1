internal import DevrunCore
package import DevrunSystem
internal import Glibc

/// The session's private folder: the hosts file, and the volumes that are materialized.
///
/// It lies in memory (`XDG_RUNTIME_DIR`, else `/dev/shm`) because Secrets are written into it; in the temporary
/// directory only where there is neither. Its mode is 0700. A lock (flock(2)) is held on it as long as the session
/// lives, so that a later run can tell what a killed one left behind, and removes it.
package struct SessionDirectory: Sendable {
  /// The folder's path.
  package let path: String
  /// The open folder, which carries the lock.
  private let descriptor: Int32

  package static let prefix = "devrun-session-"

  /// Makes the folder.
  ///
  /// - Parameters:
  ///   - session: The session's name, the end of the folder's.
  ///   - environment: This process's, for `XDG_RUNTIME_DIR` and `TMPDIR`.
  /// - Throws: `ViewError.noSessionDirectory`
  package init(session: String, environment: EnvironmentVariables) throws {
    try self.init(session: session, in: Self.bases(environment))
  }

  /// Makes a folder like it in the temporary directory, for what is too large for memory.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  package init(onDiskFor session: String, environment: EnvironmentVariables) throws {
    try self.init(session: "\(session)-disk", in: Self.temporaryBases(environment))
  }

  private init(session: String, in bases: [String]) throws {
    var failure: (String, Int32) = (bases[0], ENOENT)
    for base in bases {
      Self.removeAbandoned(in: base)
      let path = "\(base)/\(Self.prefix)\(session)"
      guard mkdir(path, 0o700) == 0 else {
        failure = (base, errno)
        continue
      }
      let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
      // Before we locked it, another run may have removed the folder as abandoned. A run that only probes the lock
      // releases it immediately, so failing here does not happen without reason.
      guard descriptor >= 0, Self.lock(descriptor), access(path, F_OK) == 0 else {
        failure = (base, errno)
        if descriptor >= 0 { close(descriptor) }
        rmdir(path)
        continue
      }
      self.path = path
      self.descriptor = descriptor
      return
    }
    throw ViewError.noSessionDirectory(failure.0, errno: failure.1)
  }

  /// Waits for the lock, which nobody holds for long.
  private static func lock(_ descriptor: Int32) -> Bool {
    while flock(descriptor, LOCK_EX) != 0 {
      guard errno == EINTR else { return false }
    }
    return true
  }

  /// Removes what killed sessions of this user left on this machine, wherever it may lie.
  package static func removeAbandoned(environment: EnvironmentVariables) {
    for base in Set(bases(environment)) { removeAbandoned(in: base) }
  }

  /// Where the folder may lie, the best first: folders that this user owns or that all may write to.
  package static func bases(_ environment: EnvironmentVariables) -> [String] {
    let runtime = environment["XDG_RUNTIME_DIR"]?.description
    return usable([runtime, "/dev/shm"]) + temporaryBases(environment)
  }

  private static func temporaryBases(_ environment: EnvironmentVariables) -> [String] {
    usable([environment["TMPDIR"]?.description, "/tmp"]) + ["/tmp"]
  }

  private static func usable(_ bases: [String?]) -> [String] {
    bases.compactMap { $0 }.filter { $0.hasPrefix("/") && access($0, W_OK) == 0 }
  }

  /// Makes a folder in the folder, with those on the way to it.
  ///
  /// - Returns: its path.
  /// - Throws: `ViewError.noSessionDirectory`
  func makeFolder(_ name: String) throws -> String {
    var folder = path
    for part in name.split(separator: "/") {
      folder += "/\(part)"
      guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
        throw ViewError.noSessionDirectory(folder, errno: errno)
      }
    }
    return folder
  }

  /// Writes a file of the folder whole. It is readable by all who can reach it, because the child may become somebody
  /// else, to whom it is `/etc/hosts`.
  ///
  /// - Returns: its path.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func write(_ name: String, _ text: String) throws -> String {
    let file = "\(path)/\(name)"
    try Self.write(text, to: file, flags: O_WRONLY | O_CREAT | O_TRUNC, mode: 0o644)
    return file
  }

  /// Appends lines to a file in one write (a rename would not be seen through the bind mount over `/etc/hosts`). A reader
  /// meanwhile sees whole lines only.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func append(lines text: String, to name: String) throws {
    let file = "\(path)/\(name)"
    var status = stat()
    guard lstat(file, &status) == 0 else { throw ViewError.noSessionDirectory(file, errno: errno) }
    try Self.write(PagedLines.text(text, at: Int(status.st_size)), to: file, flags: O_WRONLY | O_APPEND, mode: 0)
  }

  private static func write(_ text: String, to file: String, flags: Int32, mode: mode_t) throws {
    let descriptor = open(file, flags | O_CLOEXEC | O_NOFOLLOW, mode)
    guard descriptor >= 0 else { throw ViewError.noSessionDirectory(file, errno: errno) }
    defer { close(descriptor) }
    let written = Array(text.utf8).withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard written == text.utf8.count else {
      throw ViewError.noSessionDirectory(file, errno: written < 0 ? errno : ENOSPC)
    }
  }

  /// Removes the folder with all that is in it.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  package func remove() throws {
    let failure = FileTree.remove(path)
    close(descriptor)
    if failure != 0 { throw ViewError.noSessionDirectory(path, errno: failure) }
  }

  /// Removes what sessions of this user left here that no longer live: those whose lock nobody holds.
  private static func removeAbandoned(in base: String) {
    guard let folder = opendir(base) else { return }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      guard name.hasPrefix(prefix) else { continue }
      let descriptor = open("\(base)/\(name)", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)
      guard descriptor >= 0 else { continue }
      var status = stat()
      let isOurs = fstat(descriptor, &status) == 0 && status.st_uid == geteuid()
      if isOurs, flock(descriptor, LOCK_EX | LOCK_NB) == 0 { _ = FileTree.remove("\(base)/\(name)") }
      close(descriptor)
    }
  }
}
