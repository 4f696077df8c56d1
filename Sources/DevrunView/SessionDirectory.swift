package import DevrunCore
package import DevrunSystem
internal import Glibc

/// The session's private folder: the hosts file, and the volumes that are materialized.
///
/// It lies in memory (`XDG_RUNTIME_DIR`, `/dev/shm` or the user's folder of `/run/user`; the first in which programs can be
/// executed, since volumes hold scripts) because Secrets are written into it; in the temporary directory only where none of
/// them can be used. No other user can rename or replace it. Its mode is 0700. A lock (flock(2)) is held on it as long as the session
/// lives, so that a later run can tell what a killed one left behind, and removes it.
package struct SessionDirectory: Sendable {
  /// The folder's path.
  package let path: String
  /// The open folder, which carries the lock.
  private let descriptor: Descriptor

  package static let prefix = "devrun-session-"

  /// Makes the folder.
  ///
  /// - Parameters:
  ///   - session: The session's name, the end of the folder's.
  ///   - environment: This process's, for `XDG_RUNTIME_DIR` and `TMPDIR`.
  /// - Throws: `ViewError.noSessionDirectory`
  package init(session: String, environment: EnvironmentVariables) throws {
    Self.removeAbandoned(environment: environment)
    try self.init(session: session, in: Self.bases(environment))
  }

  /// Makes a folder like it in the temporary directory, for what is too large for memory.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  package init(onDiskFor session: String, environment: EnvironmentVariables) throws {
    try self.init(session: "\(session)-disk", in: Self.temporaryBases(environment))
  }

  private init(session: String, in bases: [String]) throws {
    var failure = (base: bases.first ?? "/tmp", error: Errno.notPermitted)
    for base in bases {
      let path = "\(base)/\(Self.prefix)\(session)"
      do throws(Errno) {
        descriptor = try Self.make(path)
        self.path = path
        return
      } catch {
        failure = (base, error)
      }
    }
    throw ViewError.noSessionDirectory(failure.base, failure.error)
  }

  /// Makes a folder and locks it.
  private static func make(_ path: String) throws(Errno) -> Descriptor {
    try Directory.make(RawString(path), mode: 0o700)
    do throws(Errno) {
      let descriptor = try Descriptor.open(RawString(path), O_RDONLY | O_DIRECTORY)
      // A run that only probes the lock releases it immediately.
      try system { flock(descriptor.number, LOCK_EX) }
      // Before we locked it, another run may have removed the folder as abandoned.
      try system { access(path, F_OK) }
      return descriptor
    } catch {
      rmdir(path)
      throw error
    }
  }

  /// Removes what killed sessions of this user left on this machine, wherever it may lie.
  package static func removeAbandoned(environment: EnvironmentVariables) {
    for base in Set(bases(environment)) { removeAbandoned(in: base) }
  }

  /// Where the folder may lie, the best first: folders in which no other user can rename or replace it (`PrivateBase`).
  package static func bases(_ environment: EnvironmentVariables) -> [String] {
    executableFirst(
      usable([environment["XDG_RUNTIME_DIR"]?.description, "/dev/shm", "/run/user/\(geteuid())"]))
      + temporaryBases(environment)
  }

  /// Puts folders of file systems without programs (mount(8), `noexec`) behind the others.
  static func executableFirst(
    _ bases: [String], isExecutable: (String) -> Bool = { mayExecute(in: $0) }
  ) -> [String] {
    bases.filter(isExecutable) + bases.filter { !isExecutable($0) }
  }

  /// ST_NOEXEC of statvfs(3), which Swift does not see.
  private static let noExecution: UInt = 8

  private static func mayExecute(in base: String) -> Bool {
    var system = statvfs()
    return statvfs(base, &system) != 0 || system.f_flag & noExecution == 0
  }

  private static func temporaryBases(_ environment: EnvironmentVariables) -> [String] {
    usable([environment["TMPDIR"]?.description, "/tmp"])
  }

  private static func usable(_ bases: [String?]) -> [String] {
    bases.compactMap { $0 }.compactMap { PrivateBase($0)?.path }
  }

  /// The file that lists what is made elsewhere on this machine for volumes to be shown at (`MountPoints`). It goes with the
  /// folder, and what it lists goes first.
  package var mountPointRecord: RawString { Self.mountPointRecord(in: path) }

  private static func mountPointRecord(in path: String) -> RawString { RawString("\(path)/mount-points") }

  /// Makes a folder in the folder, with those on the way to it.
  ///
  /// - Returns: its path.
  /// - Throws: `ViewError.noSessionDirectory`
  func makeFolder(_ name: String) throws -> String {
    var folder = path
    for part in name.split(separator: "/") {
      folder += "/\(part)"
      do throws(Errno) {
        try Directory.make(RawString(folder), mode: 0o755)
      } catch .exists {
        continue
      } catch {
        throw ViewError.noSessionDirectory(folder, error)
      }
    }
    return folder
  }

  /// Makes a folder in the folder, empty also if a copy that was broken off has left something in it.
  ///
  /// - Returns: its path.
  /// - Throws: `ViewError.noSessionDirectory`, `.cannotChange`
  func makeEmptyFolder(_ name: String) throws -> String {
    let place = "\(path)/\(name)"
    try mappingErrno(to: { ViewError.cannotChange(place, $0) }) { () throws(Errno) in
      try Directory.removeTree(RawString(place))
    }
    return try makeFolder(name)
  }

  /// Writes a file of the folder whole. It is readable by all who can reach it, because the child may become somebody
  /// else, to whom it is `/etc/hosts`.
  ///
  /// - Returns: its path.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func write(_ name: String, _ text: String) throws -> String {
    let file = "\(path)/\(name)"
    try mappingErrno(to: { ViewError.noSessionDirectory(file, $0) }) { () throws(Errno) in
      let flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW
      try Descriptor.open(RawString(file), flags, mode: 0o644).writeAll(text.utf8)
    }
    return file
  }

  /// Appends lines to a file in one write (a rename would not be seen through the bind mount over `/etc/hosts`). A reader
  /// meanwhile sees whole lines only.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func append(lines text: String, to name: String) throws(ViewError) {
    let file = "\(path)/\(name)"
    try mappingErrno(to: { ViewError.noSessionDirectory(file, $0) }) { () throws(Errno) in
      let descriptor = try Descriptor.open(RawString(file), O_WRONLY | O_APPEND | O_NOFOLLOW)
      let size = Int(try descriptor.status().st_size)
      try descriptor.writeAll(PagedLines.text(text, at: size).utf8)
    }
  }

  /// Removes the folder with all that is in it.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  package func remove() throws {
    defer { descriptor.close() }
    let left = MountPoints.remove(recordedIn: mountPointRecord)
    try mappingErrno(to: { ViewError.noSessionDirectory(path, $0) }) { () throws(Errno) in
      try Directory.removeTree(RawString(path))
    }
    if let first = left.first { throw ViewError.cannotChange(first.path.description, first.error) }
  }

  /// Removes what sessions of this user left here that no longer live: those whose lock nobody holds.
  private static func removeAbandoned(in base: String) {
    guard let folder = try? Descriptor.open(RawString(base), O_RDONLY | O_DIRECTORY),
      let names = try? Directory.entries(of: folder)
    else { return }
    for name in names where name.bytes.starts(with: prefix.utf8) {
      // What lives, or cannot be removed, is left to a later run.
      try? removeAbandoned(name, in: folder, base)
    }
  }

  private static func removeAbandoned(_ name: RawString, in base: Descriptor, _ path: String) throws(Errno) {
    let folder = try Descriptor.open(name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, in: base)
    guard try folder.status().st_uid == geteuid() else { return }
    try system { flock(folder.number, LOCK_EX | LOCK_NB) }
    // What cannot be removed now, on a disk that is away, is left to a later run, and so is the record of it.
    guard MountPoints.remove(recordedIn: mountPointRecord(in: "\(path)/\(name)")).isEmpty else { return }
    try Directory.removeTree(name, in: base)
  }
}
