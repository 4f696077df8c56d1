internal import DevrunCore
internal import DevrunSystem
internal import Glibc

/// The folder of this user's session logs: `devrun` in the temporary directory.
///
/// The temporary directory may be everybody's (`/tmp`), and its names anybody's to take first. So a folder counts only if
/// it is no link, belongs to this user and has mode 0700; else `devrun-UID` is taken, and where that is somebody else's
/// too, a new one with a random name. All that happens in the folder goes by its open descriptor, never by its path.
struct LogFolder {
  /// How many logs are kept.
  static let kept = 20

  /// The folder's path.
  let path: String
  /// The folders that were not to be trusted.
  let passedOver: [String]
  private let descriptor: Descriptor

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
      do throws(Errno) {
        try Directory.make(RawString(path), mode: 0o700)
      } catch .exists {
        // Whoever made it.
      } catch {
        throw SessionError.noSessionLog(path, error)
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
    guard let made, let descriptor = Self.open(made) else { throw SessionError.noSessionLog(base, .last) }
    self.path = made
    self.descriptor = descriptor
    self.passedOver = passedOver
  }

  /// Opens a folder that is this user's alone; `nil` for any other.
  private static func open(_ path: String) -> Descriptor? {
    guard let descriptor = try? Descriptor.open(RawString(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
      let status = try? descriptor.status(), status.st_uid == geteuid(), status.st_mode & 0o777 == 0o700
    else { return nil }
    return descriptor
  }

  /// Makes a new log and removes the oldest ones, but for those that sessions still write.
  ///
  /// - Parameter name: its name, which `isLog(_:)` must recognise.
  /// - Returns: the open file, of mode 0600, locked as long as it is open.
  /// - Throws: `SessionError.noSessionLog`
  func create(_ name: String) throws -> Descriptor {
    let file = try mappingErrno(to: { SessionError.noSessionLog("\(path)/\(name)", $0) }) { () throws(Errno) in
      let flags = O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW
      return try Descriptor.open(RawString(name), flags, mode: 0o600, in: descriptor)
    }
    // Only others' rotation looks at the lock; a file system without locks loses no more than that.
    _ = flock(file.number, LOCK_EX | LOCK_NB)
    rotate()
    return file
  }

  private func rotate() {
    // Their names begin with the time: the newest first. Where they cannot be listed, none is removed.
    let names = ((try? Directory.entries(of: descriptor)) ?? []).map(\.description).filter(Self.isLog)
    for name in names.sorted(by: >).dropFirst(Self.kept) {
      // A log that cannot be opened or is locked stays.
      guard let file = try? Descriptor.open(RawString(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK, in: descriptor),
        flock(file.number, LOCK_EX | LOCK_NB) == 0
      else { continue }
      unlinkat(descriptor.number, name, 0)
    }
  }

  /// Whether a file's name is that of a log: `20261123T040600Z-SESSION.log`. What else lies there is not devrun's to
  /// remove.
  static func isLog(_ name: String) -> Bool {
    name.wholeMatch(of: /[0-9]{8}T[0-9]{6}Z-[a-z0-9-]+\.log/) != nil
  }
}
