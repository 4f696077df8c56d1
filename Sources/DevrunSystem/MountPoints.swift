public import DevrunCore
internal import Glibc
internal import Synchronization

/// Empty folders and files that are made on this machine so that something can be mounted at them, and that are removed
/// when nobody needs them any more.
///
/// A record lists them, for whoever cleans up after a process that was killed. It is written before anything is made.
/// Their permissions tell them from what others have made: only those are shared with other sessions of this user, and
/// removed. Each one is locked (flock(2)) as long as it is used: a removed one takes away what others have mounted there.
/// Other users cannot open one, and so cannot lock it. No symbolic link is followed: the paths had none, and one that is
/// there now is somebody else's, who may write to the same folder.
public final class MountPoints: Sendable {
  /// An empty folder or file.
  public struct Place: Sendable, Hashable {
    /// Its absolute path, without symbolic links.
    public var path: RawString
    /// Whether it is a folder.
    public var isDirectory: Bool

    /// A folder or a file of the path.
    public init(path: RawString, isDirectory: Bool) {
      self.path = path
      self.isDirectory = isDirectory
    }
  }

  /// A mount point, or the record, could not be made or removed.
  public struct Failure: Error, Sendable, Hashable {
    /// Its path.
    public var path: RawString
    /// The kernel's answer.
    public var error: Errno
  }

  private let record: RawString
  private let locks = Mutex<[Descriptor]>([])

  /// Makes what is missing, and shares what other processes of this user have made.
  ///
  /// - Parameters:
  ///   - missing: what is to be made, each folder before what is in it.
  ///   - present: what is used and was there before, each folder before what is in it. What another session has made is
  ///     shared with it: the last of its users removes it.
  ///   - record: the path of the record.
  /// - Throws: what could not be made; nothing is left behind then.
  public init(making missing: [Place], sharing present: [Place], record: RawString) throws(Failure) {
    self.record = record
    do throws(Failure) {
      for place in missing { try take(place) }
      let made = Set(missing.map(\.path))
      for place in present where !made.contains(place.path) && Self.isOwn(place.path) { try take(place) }
    } catch {
      _ = remove()
      throw error
    }
  }

  /// Removes what is empty and not used by others, and the record.
  ///
  /// - Returns: what could not be removed.
  @discardableResult
  public func remove() -> [Failure] {
    locks.withLock { $0.removeAll() }
    return Self.remove(recordedIn: record)
  }

  /// Removes what a record lists, if it is empty and nobody uses it, and the record. No record is no failure.
  ///
  /// - Returns: what could not be removed.
  @discardableResult
  public static func remove(recordedIn record: RawString) -> [Failure] {
    var failures: [Failure] = []
    for path in paths(in: record).reversed() {
      do throws(Errno) {
        try removeUnused(path)
      } catch {
        failures.append(Failure(path: path, error: error))
      }
    }
    // The next run tries again what was not removed.
    if failures.isEmpty { _ = record.withCString { unlink($0) } }
    return failures
  }

  /// Makes a mount point, unless it is there, and locks it if it is devrun's.
  private func take(_ place: Place) throws(Failure) {
    do throws(Errno) {
      try write([place.path], adding: true)
      let spot = try Spot(place.path)
      while true {
        if try !make(place, at: spot) {
          guard let status = try spot.status() else { continue }
          if status.st_uid != geteuid() { throw .exists }
          if !Self.isMarked(status.st_mode) {
            // The user made it meanwhile, to keep it.
            return try write(Self.paths(in: record).filter { $0 != place.path }, adding: false)
          }
        }
        guard let lock = try spot.open() else { continue }
        try system { flock(lock.number, LOCK_SH) }
        // Another session may have removed it before it was locked.
        guard try spot.leads(to: lock) else { continue }
        return locks.withLock { $0.append(lock) }
      }
    } catch {
      throw Failure(path: place.path, error: error)
    }
  }

  /// Makes an empty folder or file. `false`: it is there.
  private func make(_ place: Place, at spot: Spot) throws(Errno) -> Bool {
    do throws(Errno) {
      if place.isDirectory {
        try Directory.make(spot.name, mode: 0o1711, in: spot.folder)
      } else {
        try Descriptor.open(spot.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: 0o1600, in: spot.folder).close()
      }
      return true
    } catch .exists {
      return false
    }
  }

  private func write(_ paths: [RawString], adding: Bool) throws(Errno) {
    let flags = O_WRONLY | O_CREAT | O_NOFOLLOW | (adding ? O_APPEND : O_TRUNC)
    // A path may have any byte but zero.
    try Descriptor.open(record, flags, mode: 0o600).writeAll(paths.flatMap { $0.bytes + [0] })
  }

  private static func paths(in record: RawString) -> [RawString] {
    // A session without mount points has no record; one that cannot be read is of no use.
    let bytes = (try? Descriptor.open(record, O_RDONLY | O_NOFOLLOW).readToEnd()) ?? []
    return bytes.split(separator: 0).map { RawString($0) }.filter { $0.bytes.first == UInt8(ascii: "/") }
  }

  /// Removes a mount point of this user that nobody has locked. One that is no longer empty becomes an ordinary folder or
  /// file.
  private static func removeUnused(_ path: RawString) throws(Errno) {
    do throws(Errno) {
      let spot = try Spot(path)
      guard let place = try spot.open() else { return }
      let status = try place.status()
      guard status.st_uid == geteuid(), isMarked(status.st_mode) else { return }
      try system { flock(place.number, LOCK_EX | LOCK_NB) }
      guard try spot.leads(to: place) else { return }
      let isDirectory = status.st_mode & S_IFMT == S_IFDIR
      do throws(Errno) {
        if !isDirectory, status.st_size > 0 { throw .notEmpty }
        try spot.name.withCString { (name) throws(Errno) in
          _ = try system { unlinkat(spot.folder.number, name, isDirectory ? AT_REMOVEDIR : 0) }
        }
      } catch .notEmpty {
        // As umask(2) had it.
        let isForOthers = status.st_mode & 0o011 != 0 || !isDirectory
        try system { fchmod(place.number, (isDirectory ? 0o755 : 0o644) & (isForOthers ? 0o755 : 0o700)) }
      }
    } catch {
      // Used by another session, which removes it; gone; or mounted over by somebody on the machine.
      let isLeft: Set<Errno> = [.wouldBlock, .noEntry, .notADirectory, .busy, .tooManyLinks]
      if !isLeft.contains(error) { throw error }
    }
  }
}

extension MountPoints {
  /// Whether permissions are those of a mount point: the sticky bit, and nothing to be read or written by others. Nobody
  /// gives these to anything else.
  public static func isMarked(_ mode: UInt32) -> Bool { mode & 0o1066 == 0o1000 }

  /// Whether an empty mount point of this user is at a path.
  public static func isUnused(_ path: RawString) -> Bool {
    guard isOwn(path), let status = status(of: path) else { return false }
    if status.st_mode & S_IFMT == S_IFREG { return status.st_size == 0 }
    do throws(Errno) { return try Directory.entries(of: path).isEmpty } catch { return false }
  }

  /// Whether what is at a path belongs to another user.
  public static func isForeign(_ path: RawString) -> Bool { status(of: path).map { $0.st_uid != geteuid() } ?? false }

  private static func isOwn(_ path: RawString) -> Bool {
    guard let status = status(of: path) else { return false }
    return status.st_uid == geteuid() && isMarked(status.st_mode)
      && [S_IFDIR, S_IFREG].contains(status.st_mode & S_IFMT)
  }

  private static func status(of path: RawString) -> stat? {
    var status = stat()
    return path.withCString { lstat($0, &status) } == 0 ? status : nil
  }
}

/// A name in an open folder, to which no symbolic link leads.
private struct Spot {
  let folder: Descriptor
  let name: RawString

  /// O_PATH, which Glibc's module does not have.
  private static let pathOnly: Int32 = 0o10_000_000

  /// The place of an absolute path.
  ///
  /// - Throws: `Errno.notADirectory` if a symbolic link is on the way.
  init(_ path: RawString) throws(Errno) {
    var names = path.bytes.split(separator: UInt8(ascii: "/")).map { RawString($0) }
    guard let name = names.popLast(), !([".", ".."] as [RawString]).contains(name) else { throw .invalidArgument }
    self.name = name
    var folder = try Descriptor.open("/", Self.pathOnly | O_DIRECTORY)
    for name in names { folder = try Descriptor.open(name, Self.pathOnly | O_DIRECTORY | O_NOFOLLOW, in: folder) }
    self.folder = folder
  }

  /// Opens what is there; `nil`: nothing.
  func open() throws(Errno) -> Descriptor? {
    do throws(Errno) {
      return try Descriptor.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, in: folder)
    } catch .noEntry {
      return nil
    }
  }

  /// Whether what is there is an open file.
  func leads(to descriptor: Descriptor) throws(Errno) -> Bool {
    let here = try descriptor.status()
    guard let there = try status() else { return false }
    return there.st_dev == here.st_dev && there.st_ino == here.st_ino
  }

  /// What is there; `nil`: nothing.
  func status() throws(Errno) -> stat? {
    var status = stat()
    do throws(Errno) {
      try name.withCString { (name) throws(Errno) in
        _ = try system { fstatat(folder.number, name, &status, AT_SYMLINK_NOFOLLOW) }
      }
    } catch .noEntry {
      return nil
    }
    return status
  }
}
