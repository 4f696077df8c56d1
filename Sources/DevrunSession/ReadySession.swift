public import DevrunCore
public import DevrunPlan

/// The program that a session runs.
public struct ProgramInvocation: Sendable {
  /// The program's path.
  public var executable: RawString
  /// Its arguments, the first of which is its name.
  public var arguments: [RawString]

  /// A program with its arguments.
  public init(executable: RawString, arguments: [RawString]) {
    self.executable = executable
    self.arguments = arguments
  }
}

/// A session that is connected: what it has made ready for the launch.
public struct ReadySession: Sendable {
  /// What to run, and what it sees.
  public var plan: LaunchPlan
  /// Reaches the cluster for it.
  public var connector: any OutboundConnector
  /// The addresses whose connections are redirected.
  public var redirected: RedirectTable
  /// The names of its variables whose values are secrets: of a Secret, equal to one of such, or named as if they were.
  public var secretNames: Set<RawString>
}
