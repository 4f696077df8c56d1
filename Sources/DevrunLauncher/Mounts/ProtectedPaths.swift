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
    /// It is below a place of the user's, in which nothing appears that nobody asked for.
    case inside(String, RawString)
    /// It holds what devrun is to show: the source of a mount. Not to be forced.
    case source(RawString)

    /// Whether the user may insist.
    public var mayBeForced: Bool {
      switch self {
      case .machine, .place, .inside: true
      case .kernel, .source: false
      }
    }
  }

  /// What is said of a place, and its path without symbolic links.
  private let places: [(name: String, path: RawString)]
  private let sources: [RawString]
  /// Below these, nothing appears that nobody asked for.
  private let owned: [(name: String, path: RawString)]

  /// The paths to protect for a command. All are absolute and free of symbolic links; others protect nothing.
  ///
  /// - Parameters:
  ///   - places: each place that must stay, and what it is: "the working directory".
  ///   - sources: what devrun shows to the command.
  ///   - owned: each place below which nothing appears that nobody asked for, and what it is.
  init(
    places: [(name: String, path: RawString)], sources: [RawString] = [],
    owned: [(name: String, path: RawString)] = []
  ) {
    self.places = places.filter { $0.path.bytes.first == UInt8(ascii: "/") }
    self.sources = sources
    // `/` is nobody's home, though some accounts have it.
    self.owned = owned.filter { $0.path.bytes.first == UInt8(ascii: "/") && !ViewPath.split($0.path).isEmpty }
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
        ["/etc/group", "/etc/hosts", "/etc/nsswitch.conf", "/etc/passwd", "/etc/resolv.conf"]
      ),
      (
        "it decides what every program or shell of this machine loads",
        [
          "/etc/environment", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ld.so.preload",
          "/etc/pam.d", "/etc/profile", "/etc/profile.d",
        ]
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
  /// Below these, files change what the machine's programs do, whoever starts them. A volume that nobody asked for would
  /// bring the cluster's code to them.
  private static let loaded: [RawString] = [
    "/bin", "/etc/alternatives", "/etc/bash", "/etc/bash.bash_logout", "/etc/bash.bashrc", "/etc/bash_completion.d",
    "/etc/bashrc", "/etc/crypto-policies", "/etc/csh.cshrc", "/etc/csh.login", "/etc/environment",
    "/etc/environment.d", "/etc/fish", "/etc/gdb", "/etc/gitconfig", "/etc/inputrc", "/etc/pam.d", "/etc/perl",
    "/etc/pkcs11", "/etc/profile", "/etc/profile.d", "/etc/python3", "/etc/screenrc", "/etc/security", "/etc/ssh",
    "/etc/sudoers.d", "/etc/tmux.conf", "/etc/vim", "/etc/vimrc", "/etc/xdg", "/etc/zlogin", "/etc/zprofile",
    "/etc/zsh", "/etc/zshenv", "/etc/zshrc", "/lib", "/lib32", "/lib64", "/libx32", "/sbin", "/usr/bin",
    "/usr/include", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libexec", "/usr/libx32", "/usr/local/bin",
    "/usr/local/include", "/usr/local/lib", "/usr/local/lib64", "/usr/local/libexec", "/usr/local/sbin", "/usr/sbin",
    "/usr/share/bash-completion", "/usr/share/fish", "/usr/share/gdb", "/usr/share/nodejs", "/usr/share/perl",
    "/usr/share/perl5", "/usr/share/vim", "/usr/share/zsh",
  ]

  /// Each of these has a meaning for the machine by being there.
  private static let flags: Set<RawString> = [
    "/.autorelabel", "/.dockerenv", "/etc/hosts.allow", "/etc/hosts.deny", "/etc/nologin", "/etc/nologin.txt",
    "/fastboot", "/forcefsck", "/run/nologin", "/run/reboot-required", "/run/systemd",
  ]

  /// Why a volume that nobody asked for does not appear at a path, as it is written or through symbolic links; `nil`: it
  /// may. More is protected than from one that a file names.
  ///
  /// - Throws: `MountError.inaccessible` or `.notAbsolute` for a path that cannot be looked at.
  func reason(againstUnasked target: RawString) throws(MountError) -> Reason? {
    let resolved = try MountPlanner.resolve(target)
    for path in [resolved, ViewPath(ViewPath.split(target)).text] {
      if let reason = reason(against: path) { return reason }
      let names = ViewPath.split(path)
      // All of the dynamic loaders' own: ld.so.preload, ld-musl-x86_64.path.
      let isLoaders =
        names.count > 1 && names[0] == "etc" && ["ld.so.", "ld-"].contains { names[1].bytes.starts(with: $0.utf8) }
      if isLoaders || Self.loaded.contains(where: { names.starts(with: ViewPath.split($0)) }) {
        return .machine("the programs of this machine load what lies there")
      }
      if Self.flags.contains(path) { return .machine("the system takes it for a sign that it is there") }
      if let own = owned.first(where: { names.starts(with: ViewPath.split($0.path)) }) {
        return .inside(own.name, own.path)
      }
    }
    return nil
  }

  /// Whether a path is in the working directory, HOME or a folder of temporary files: what is there is the user's.
  func isInPlaceOfUser(_ path: RawString) -> Bool {
    let names = ViewPath.split(path)
    return (places.map(\.path) + ["/tmp", "/var/tmp", "/dev/shm", "/run/user", "/home"]).contains { place in
      let place = ViewPath.split(place)
      return !place.isEmpty && names.starts(with: place)
    }
  }

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
    func resolved(_ path: RawString) -> RawString { (try? MountPlanner.resolve(path)) ?? path }
    let programs = (environment["PATH"]?.bytes ?? []).split(separator: UInt8(ascii: ":")).map { RawString($0) }
    // Where nothing is, nothing is hidden. What cannot be looked at may be there.
    func isThere(_ path: RawString) -> Bool {
      do throws(Errno) { return try FileKind.following(path) != nil } catch { return true }
    }
    self.init(
      places: places.compactMap { name, path in path.flatMap { isThere($0) ? (name, resolved($0)) : nil } },
      sources: sources.map(resolved),
      owned: [("HOME", environment["HOME"])].compactMap { name, path in path.map { (name, resolved($0)) } }
        + programs.map { ("the programs of PATH", resolved($0)) })
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
    case .inside(let name, let path): "it is in \(name), '\(path)'"
    case .source(let path): "it would hide '\(path)', which devrun itself shows to the command"
    }
  }
}

extension ViewPath {
  /// Whether the path is this one or below it.
  fileprivate func holds(_ path: RawString) -> Bool { ViewPath.split(path).starts(with: names) }
}
