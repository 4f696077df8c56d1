public import DevrunCore
public import DevrunSystem

/// All that the launcher needs, as plain data: what to run, and what it sees.
///
/// The working directory, umask, limits, terminal and open descriptors are those that devrun was started with.
public struct LaunchPlan: Sendable, Hashable, Codable {
  /// The path of the program.
  public var executable: RawString
  /// The arguments, of which the first is the program's name as it was typed.
  public var arguments: [RawString]
  /// The environment, in order.
  public var environment: EnvironmentVariables
  /// How the child gets its own view of files, if `changesFiles`.
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
  /// The TCP ports of this machine whose listeners are awaited (`ListenEvent`).
  public var listenPorts: Set<UInt16>
  /// The addresses of the pod in whose place the child runs. This machine does not have them: what the child binds to one
  /// of them is bound to the loopback interface, and what it connects to one of them is connected there.
  public var podAddresses: [IPAddress] = []
  /// The file that lists what is made on this machine for mounts to be shown at (`MountPoints`); `nil`: nothing may be made.
  public var mountPointRecord: RawString?

  /// A file or directory that appears at another path, with all that is below.
  public struct Mount: Sendable, Hashable, Codable {
    /// What is shown.
    public var source: RawString
    /// The absolute path where it is shown. What is missing of it is made in the private view, or on this machine for as
    /// long as the child runs.
    public var target: RawString

    /// A mount of the source at the target.
    public init(source: RawString, target: RawString) {
      self.source = source
      self.target = target
    }
  }

  /// A plan to run the program as it would run without devrun, except for what is named.
  public init(
    executable: RawString, arguments: [RawString], environment: EnvironmentVariables, isolation: Isolation,
    hostsFile: RawString? = nil, nameServiceSwitchFile: RawString? = nil, mounts: [Mount] = [],
    forcesVolumes: Bool = false, hiddenPaths: [RawString] = [], redirectsConnections: Bool = true,
    listenPorts: Set<UInt16> = []
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
    self.listenPorts = listenPorts
  }

  /// Whether anything is to be done about what the child binds its sockets to.
  public var watchesBinds: Bool { !listenPorts.isEmpty || !podAddresses.isEmpty }

  /// Whether the child's files differ from the machine's in anything.
  public var changesFiles: Bool {
    hostsFile != nil || nameServiceSwitchFile != nil || !mounts.isEmpty || !hiddenPaths.isEmpty
  }
}
