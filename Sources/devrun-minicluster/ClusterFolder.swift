import CMinicluster
import DevrunCore
import DevrunSystem
import Glibc

extension Errno {
  fileprivate static let notEmpty = Errno(rawValue: ENOTEMPTY)
}

/// The folder of a cluster.
///
/// The process that owns the cluster holds a lock on a file in it, as do the processes of the cluster itself. The kernel
/// takes the lock away with the last of them, however they end: so a folder without a lock is what a killed cluster has
/// left, and nobody relies on a number that may be another process's by now.
struct ClusterFolder {
  /// The folder's absolute path.
  let path: String
  private let lock: Descriptor

  private static let lockName = "minicluster.lock"

  /// The file that programs find the cluster by.
  var kubeconfig: String { Self.kubeconfig(in: path) }

  static func kubeconfig(in path: String) -> String { path + "/kubeconfig" }

  /// Takes a folder for a new cluster. It is made if it is missing, and emptied if it is that of a killed cluster.
  ///
  /// - Throws: ``CommandFailure`` if a cluster is running in it, or something else is.
  static func claim(_ path: String) throws -> ClusterFolder {
    let path = absolute(path)
    guard let lock = try take(path) else {
      throw CommandFailure(
        "a cluster is running in \(path) already",
        remedy:
          "Use it (export KUBECONFIG=\(kubeconfig(in: path))), or end it: devrun-minicluster down --folder \(path)")
    }
    let folder = ClusterFolder(path: path, lock: lock)
    try folder.clear()
    return folder
  }

  /// Writes this process down as the owner.
  func own() throws {
    try system { ftruncate(lock.number, 0) }
    try lock.writeAll("\(getpid())\n".utf8)
  }

  /// Opens the file that gets what the cluster reports.
  func openLog() throws(Errno) -> Descriptor {
    try Descriptor.open(RawString("\(path)/cluster.log"), O_WRONLY | O_CREAT | O_APPEND, mode: 0o600)
  }

  /// Removes the folder.
  func remove() throws {
    try clear()
    try Directory.removeTree(RawString(path))
  }

  /// Removes all but the lock.
  private func clear() throws {
    for name in try Directory.entries(of: RawString(path)) where name != RawString(Self.lockName) {
      try Directory.removeTree(RawString("\(path)/\(name)"))
    }
  }

  /// Whether a cluster is running in a folder, and has been ready.
  static func isReady(_ path: String) throws -> Bool {
    guard let file = try openLock(path, O_RDONLY), access(kubeconfig(in: path), R_OK) == 0 else { return false }
    return try !acquire(file) && !hasOwnerEnded(file)
  }

  /// Ends the cluster of a folder, and removes the folder.
  ///
  /// - Returns: what was there.
  /// - Throws: `Errno` if it cannot be ended.
  static func end(_ path: String) throws -> Remains {
    let path = absolute(path)
    guard let file = try openLock(path, O_RDWR) else { return .nothing }
    if try acquire(file) {
      try ClusterFolder(path: path, lock: file).remove()
      return .folder
    }
    try endOwner(of: file, in: path)
    // The last process of the cluster takes its hold of the lock with it.
    try system { flock(file.number, LOCK_EX) }
    // The owner has removed the folder, unless it was killed. A new cluster may have one of the same name by now.
    if try isLinked(file, at: path) { try ClusterFolder(path: path, lock: file).remove() }
    return .cluster
  }

  /// What was in a folder.
  enum Remains { case nothing, folder, cluster }

  private static func endOwner(of file: Descriptor, in path: String) throws {
    guard let owner = try owner(of: file) else {
      throw CommandFailure("the cluster in \(path) is just starting", remedy: "Try again.")
    }
    let number = minicluster_pidfd_open(owner)
    if number == -ESRCH { return }
    let process = Descriptor(try shim { number })
    // Still locked: the owner whose number was written lives, and the descriptor is its.
    if try acquire(file) { return }
    if try end(process, by: SIGTERM, within: 15_000) || end(process, by: SIGKILL, within: 5_000) { return }
    throw CommandFailure("process \(owner), which owns the cluster in \(path), does not end")
  }

  /// Sends a process a signal. Whether it has ended in time.
  private static func end(
    _ process: Descriptor, by signal: Int32, within milliseconds: Int32
  ) throws(Errno) -> Bool {
    let code = minicluster_pidfd_send_signal(process.number, signal)
    // It may have ended meanwhile.
    guard code == 0 || code == -ESRCH else { throw Errno(rawValue: -code) }
    var end = pollfd(fd: process.number, events: Int16(POLLIN), revents: 0)
    return try system { poll(&end, 1, milliseconds) } > 0
  }

  // MARK: The lock

  /// What an attempt at the lock of a folder has come to.
  private enum Attempt {
    case taken(Descriptor)
    case refused
    case again

    var isToBeRepeated: Bool {
      if case .again = self { true } else { false }
    }
  }

  /// Takes the lock of a folder. `nil` if somebody has it.
  private static func take(_ path: String) throws -> Descriptor? {
    do throws(Errno) {
      return try lock(path)
    } catch {
      if error == .notEmpty {
        throw CommandFailure(
          "\(path) is the folder of something else", remedy: "Name another one by --folder, or empty this one.")
      }
      throw CommandFailure("the folder \(path) cannot be used", why: error.description)
    }
  }

  private static func lock(_ path: String) throws(Errno) -> Descriptor? {
    var attempt = Attempt.again
    repeat { attempt = try tryToTake(path) } while attempt.isToBeRepeated
    if case .taken(let file) = attempt { return file }
    return nil
  }

  private static func tryToTake(_ path: String) throws(Errno) -> Attempt {
    try makeFolders(path)
    let names = try Directory.entries(of: RawString(path))
    guard names.isEmpty || names.contains(RawString(lockName)) else { throw .notEmpty }
    guard let file = try openLock(path, O_RDWR | O_CREAT) else { return .again }
    guard try acquire(file) else {
      guard try hasOwnerEnded(file) else { return .refused }
      // The kernel is just ending the cluster's other processes.
      try system { flock(file.number, LOCK_EX) }
      return .again
    }
    // Whoever had it may have removed the folder meanwhile.
    return try isLinked(file, at: path) ? .taken(file) : .again
  }

  /// The folder's lock file, open. `nil` if there is none, and none is to be made.
  private static func openLock(_ path: String, _ flags: Int32) throws(Errno) -> Descriptor? {
    do throws(Errno) {
      return try Descriptor.open(RawString("\(path)/\(lockName)"), flags | O_NOFOLLOW, mode: 0o600)
    } catch .noEntry {
      return nil
    }
  }

  /// The process that has written itself down as the owner. `nil` if it has not done so yet.
  private static func owner(of file: Descriptor) throws(Errno) -> Int32? {
    let text = try Descriptor.open(RawString("/proc/self/fd/\(file.number)"), O_RDONLY).readToEnd(limit: 64)
    let owner = Int32(String(decoding: text, as: UTF8.self).filter { !$0.isWhitespace })
    return owner.flatMap { $0 > 1 ? $0 : nil }
  }

  /// Whether the owner of a lock that is held has ended, so that the processes that hold it are ending.
  private static func hasOwnerEnded(_ file: Descriptor) throws(Errno) -> Bool {
    guard let owner = try owner(of: file) else { return false }
    let number = minicluster_pidfd_open(owner)
    if number == -ESRCH { return true }
    let process = Descriptor(try shim { number })
    var end = pollfd(fd: process.number, events: Int16(POLLIN), revents: 0)
    return try system { poll(&end, 1, 0) } > 0
  }

  /// Takes a lock unless somebody has it.
  private static func acquire(_ file: Descriptor) throws(Errno) -> Bool {
    do throws(Errno) {
      try system { flock(file.number, LOCK_EX | LOCK_NB) }
      return true
    } catch .wouldBlock {
      return false
    }
  }

  /// Whether an open lock file is the one that the folder has now.
  private static func isLinked(_ file: Descriptor, at path: String) throws(Errno) -> Bool {
    guard let present = try openLock(path, O_RDONLY) else { return false }
    let (one, other) = (try file.status(), try present.status())
    return one.st_dev == other.st_dev && one.st_ino == other.st_ino
  }

  private static func makeFolders(_ path: String) throws(Errno) {
    var folder = ""
    let names = path.split(separator: "/")
    for (index, name) in names.enumerated() {
      folder += "/\(name)"
      // Where nothing may be made, mkdir answers in different ways about a folder that is there.
      if access(folder, F_OK) != 0 { try makeFolder(folder, mode: index == names.count - 1 ? 0o700 : 0o755) }
    }
  }

  private static func makeFolder(_ path: String, mode: UInt32) throws(Errno) {
    do throws(Errno) { try Directory.make(RawString(path), mode: mode) } catch .exists {}
  }

  static func absolute(_ path: String) -> String {
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { return path }
    defer { free(current) }
    return "\(String(cString: current))/\(path)"
  }
}
