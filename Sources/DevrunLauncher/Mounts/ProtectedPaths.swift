public import DevrunCore
public import DevrunSystem

/// The paths of this machine that a volume must not be shown at, because it would hide what is needed there.
///
/// A container's file system is its image's, and a volume may lie anywhere in it. Here the same path may be where the
/// machine's programs or the user's work are. What lies below such a place (`/etc/whitelist`, a new folder in HOME) hides
/// nothing that is needed, and is not refused.
public struct ProtectedPaths: Sendable {
  /// Why a path must not be covered.
  public enum Reason: Sendable, Hashable {
    /// It is one of the machine's own directories, with what is described there.
    case machine(String)
    /// It is below a directory in which the kernel shows its own state.
    case kernel(RawString)
    /// It is, or holds, a place of the user's: the working directory, HOME, the command itself.
    case place(String, RawString)
    /// It holds what devrun is to show: the source of a mount. Not to be forced.
    case source(RawString)

    /// Whether the user may insist.
    public var mayBeForced: Bool {
      switch self {
      case .machine, .place: true
      case .kernel, .source: false
      }
    }
  }

  /// What is said of a place, and its path without symbolic links.
  private let places: [(name: String, path: RawString)]
  private let sources: [RawString]

  /// The paths to protect for a command. All are absolute and free of symbolic links; others protect nothing.
  ///
  /// - Parameters:
  ///   - places: each place that must stay, and what it is: "the working directory".
  ///   - sources: what devrun shows to the command.
  init(places: [(name: String, path: RawString)], sources: [RawString] = []) {
    self.places = places.filter { $0.path.bytes.first == UInt8(ascii: "/") }
    self.sources = sources
  }

  /// Why the target must not be covered; `nil`: it may be.
  ///
  /// - Parameters:
  ///   - target: an absolute path without symbolic links. Whether there is anything is not looked at.
  ///   - force: whether the user insists.
  public func reason(against target: RawString, force: Bool = false) -> Reason? {
    let path = ViewPath(ViewPath.split(target))
    if !force {
      if let what = Self.machine[path.text] { return .machine(what) }
      if let place = places.first(where: { path.holds($0.path) }) { return .place(place.name, place.path) }
    }
    if let kernel = Self.kernelRoot(of: path) { return .kernel(kernel) }
    return sources.first { path.holds($0) }.map { .source($0) }
  }

  /// Where the kernel's own file system is that holds the path, if one does.
  static func kernelRoot(of path: ViewPath) -> RawString? {
    switch path.names.first {
    case "proc": "/proc"
    case "sys": "/sys"
    default: nil
    }
  }

  /// The directories and files of file-hierarchy(7) and hier(7) that programs of any kind rely on.
  private static let machine: [RawString: String] = {
    let groups: [(String, [RawString])] = [
      ("everything is there", ["/"]),
      (
        "programs and libraries are there",
        [
          "/bin", "/lib", "/lib32", "/lib64", "/libx32", "/nix", "/nix/store", "/opt", "/sbin", "/snap", "/usr",
          "/usr/bin",
          "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/libx32", "/usr/local", "/usr/local/bin",
          "/usr/local/lib", "/usr/sbin", "/usr/share",
        ]
      ),
      ("the configuration of the system is there", ["/etc", "/boot"]),
      (
        "programs look up users, groups and names there",
        ["/etc/group", "/etc/hosts", "/etc/ld.so.cache", "/etc/nsswitch.conf", "/etc/passwd", "/etc/resolv.conf"]
      ),
      ("the kernel's own files are there", ["/proc", "/sys"]),
      ("devices and terminals are there", ["/dev", "/dev/pts"]),
      ("the homes of users are there", ["/home", "/root"]),
      ("programs keep temporary files there", ["/tmp", "/var/tmp"]),
      (
        "running programs have their sockets and state there",
        ["/run", "/run/user", "/srv", "/var", "/var/lib", "/var/run"]
      ),
    ]
    return Dictionary(
      groups.flatMap { what, paths in paths.map { ($0, what) } }, uniquingKeysWith: { first, _ in first })
  }()
}

extension ProtectedPaths {
  /// The paths to protect for a command with this environment.
  ///
  /// - Parameters:
  ///   - environment: the command's; HOME, TMPDIR and XDG_RUNTIME_DIR count.
  ///   - workingDirectory: where the command starts; `nil` if that has no path.
  ///   - executable: the path of the program.
  ///   - sources: what devrun shows to the command.
  public init(
    environment: EnvironmentVariables, workingDirectory: RawString?, executable: RawString?, sources: [RawString] = []
  ) {
    let places = [
      ("the working directory", workingDirectory), ("HOME", environment["HOME"]),
      ("TMPDIR", environment["TMPDIR"]),
      ("XDG_RUNTIME_DIR", environment["XDG_RUNTIME_DIR"]), ("the command", executable),
    ]
    // One that cannot be looked at counts as it is written.
    self.init(
      places: places.compactMap { name, path in path.map { (name, (try? MountPlanner.resolve($0)) ?? $0) } },
      sources: sources.map { (try? MountPlanner.resolve($0)) ?? $0 })
  }

  /// Refuses a target at which a volume would hide what is needed, as it is written or through symbolic links.
  ///
  /// - Parameter force: whether the user insists.
  /// - Throws: `MountError.hides`, `.notAbsolute`, or `.inaccessible` for a path that cannot be looked at.
  public func check(_ target: RawString, force: Bool = false) throws(MountError) {
    let resolved = try MountPlanner.resolve(target)
    // Both: what a link leads to may be no place of the machine's, and yet the link one (`/var/run`).
    for path in [resolved, ViewPath(ViewPath.split(target)).text] {
      if let reason = reason(against: path, force: force) { throw .hides(target, reason) }
    }
  }
}

extension ProtectedPaths.Reason: CustomStringConvertible {
  /// The reason, to be read after "because".
  public var description: String {
    switch self {
    case .machine(let what): what
    case .kernel(let path): "the kernel's own files are in '\(path)'"
    case .place(let name, let path): "it would hide \(name), '\(path)'"
    case .source(let path): "it would hide '\(path)', which devrun itself shows to the command"
    }
  }
}

extension ViewPath {
  /// Whether the path is this one or below it.
  fileprivate func holds(_ path: RawString) -> Bool { ViewPath.split(path).starts(with: names) }
}
