public import DevrunCore

/// How the child gets a view of files that only it and its descendants see.
public enum Isolation: String, Sendable, Hashable, Codable, CaseIterable {
  /// The best of the following that this machine allows.
  case automatic
  /// A mount namespace alone. Takes CAP_SYS_ADMIN and changes nothing else for the child.
  case mount
  /// A mount namespace in a user namespace, in which only the user's own user and group exist: files of others look
  /// like nobody's, and setuid programs don't gain their privileges.
  case user
  /// No namespace: each opening of a file is trapped, and the private files are handed out instead of the machine's.
  /// Volumes cannot appear at paths of their own, and setuid programs don't gain their privileges.
  case trap
}

/// All that the launcher needs, as plain data: what to run, and what it sees.
///
/// The working directory, umask, limits, terminal and open descriptors are those that devrun was started with.
public struct LaunchPlan: Sendable, Hashable, Codable {
  /// The path of the program.
  public var executable: RawString
  /// The arguments, of which the first is the program's name as it was typed.
  public var arguments: [RawString]
  /// The environment as `NAME=VALUE`, in order.
  public var environment: [RawString]
  /// How the child gets its own view of files.
  public var isolation: Isolation
  /// The file that is /etc/hosts for the child.
  public var hostsFile: RawString?
  /// The file that is /etc/nsswitch.conf for the child.
  public var nameServiceSwitchFile: RawString?
  /// What else appears for the child at other paths.
  public var mounts: [Mount]
  /// Whether the mounts may also hide what the command or the machine needs: the user insists.
  public var forcesVolumes: Bool
  /// Files, sockets and directories that the child finds empty or dead, if they exist: nscd's socket.
  public var hiddenPaths: [RawString]
  /// Whether connections of the child to the addresses of a `RedirectTable` are redirected.
  public var redirectsConnections: Bool

  /// A file or directory that appears at another path, with all that is below.
  public struct Mount: Sendable, Hashable, Codable {
    /// What is shown.
    public var source: RawString
    /// The absolute path where it is shown. What is missing of it is made in the private view.
    public var target: RawString

    /// A mount of the source at the target.
    public init(source: RawString, target: RawString) {
      self.source = source
      self.target = target
    }
  }

  /// A plan to run the program as it would run without devrun, except for what is named.
  public init(
    executable: RawString, arguments: [RawString], environment: [RawString], isolation: Isolation = .automatic,
    hostsFile: RawString? = nil, nameServiceSwitchFile: RawString? = nil, mounts: [Mount] = [],
    forcesVolumes: Bool = false, hiddenPaths: [RawString] = [], redirectsConnections: Bool = true
  ) {
    self.executable = executable
    self.arguments = arguments
    self.environment = environment
    self.isolation = isolation
    self.hostsFile = hostsFile
    self.nameServiceSwitchFile = nameServiceSwitchFile
    self.mounts = mounts
    self.forcesVolumes = forcesVolumes
    self.hiddenPaths = hiddenPaths
    self.redirectsConnections = redirectsConnections
  }

  /// Whether the child's files differ from the machine's in anything.
  var changesFiles: Bool {
    hostsFile != nil || nameServiceSwitchFile != nil || !mounts.isEmpty || !hiddenPaths.isEmpty
  }
}
