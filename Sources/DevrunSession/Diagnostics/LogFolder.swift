internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The folder of this user's session logs: `devrun` in the temporary directory.
///
/// The temporary directory may be everybody's (`/tmp`), and its names anybody's to take first. So a folder counts only if
/// it is no link, belongs to this user and has mode 0700; else `devrun-UID` is taken, and where that is somebody else's
/// too, a new one with a random name. All that happens in the folder goes by its open descriptor, never by its path.
struct LogFolder: ~Copyable {
  /// How many logs are kept.
  static let kept = 20

  /// The folder's path.
  let path: String
  /// The folders that were not to be trusted.
  let passedOver: [String]
  private let descriptor: Int32

  /// Makes the folder where it is not there.
  ///
  /// - Parameter environment: This process's, for `TMPDIR`.
  /// - Throws: `SessionError.noSessionLog`
  init(environment: EnvironmentVariables) throws {
    let variable = environment["TMPDIR"]?.description ?? ""
    var base = variable.hasPrefix("/") ? variable : "/tmp"
    while base.count > 1, base.hasSuffix("/") { base.removeLast() }
    var passedOver: [String] = []
    for name in ["devrun", "devrun-\(geteuid())"] {
      let path = "\(base)/\(name)"
      guard mkdir(path, 0o700) == 0 || errno == EEXIST else {
        throw SessionError.noSessionLog(path, errno: errno)
      }
      if let descriptor = Self.open(path) {
        self.path = path
        self.descriptor = descriptor
        self.passedOver = passedOver
        return
      }
      passedOver.append(path)
    }
    var template = Array("\(base)/devrun-\(geteuid())-XXXXXX".utf8CString)
    let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!).map { String(cString: $0) } }
    guard let made, let descriptor = Self.open(made) else { throw SessionError.noSessionLog(base, errno: errno) }
    self.path = made
    self.descriptor = descriptor
    self.passedOver = passedOver
  }

  deinit { close(descriptor) }

  /// Opens a folder that is this user's alone; `nil` for any other.
  private static func open(_ path: String) -> Int32? {
    let descriptor = Glibc.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_uid == geteuid(), status.st_mode & 0o777 == 0o700 else {
      close(descriptor)
      return nil
    }
    return descriptor
  }

  /// Makes a new log and removes the oldest ones, but for those that sessions still write.
  ///
  /// - Parameter name: its name, which `isLog(_:)` must recognise.
  /// - Returns: the open file, of mode 0600, locked as long as it is open.
  /// - Throws: `SessionError.noSessionLog`
  func create(_ name: String) throws -> Int32 {
    let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW | O_CLOEXEC
    let file = openat(descriptor, name, flags, 0o600)
    guard file >= 0 else { throw SessionError.noSessionLog("\(path)/\(name)", errno: errno) }
    // Only others' rotation looks at the lock; a file system without locks loses no more than that.
    _ = flock(file, LOCK_EX | LOCK_NB)
    rotate()
    return file
  }

  private func rotate() {
    // Their names begin with the time: the newest first.
    for name in logs().sorted(by: >).dropFirst(Self.kept) {
      let file = openat(descriptor, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard file >= 0 else { continue }
      if flock(file, LOCK_EX | LOCK_NB) == 0 { unlinkat(descriptor, name, 0) }
      close(file)
    }
  }

  /// The names of the logs that are there.
  private func logs() -> [String] {
    // A description of its own: the position in the folder is the description's.
    let listing = openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard listing >= 0, let folder = fdopendir(listing) else {
      if listing >= 0 { close(listing) }
      return []
    }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
      }
      if Self.isLog(name) { names.append(name) }
    }
    return names
  }

  /// Whether a file's name is that of a log: `20261123T040600Z-SESSION.log`. What else lies there is not devrun's to
  /// remove.
  static func isLog(_ name: String) -> Bool {
    name.wholeMatch(of: /[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+\.log/) != nil
  }
}
