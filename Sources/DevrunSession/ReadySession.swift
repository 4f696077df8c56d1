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
}

/// The command of a session, running.
public protocol RunningCommand: Sendable {
  /// What begins to listen on this machine's ports, until the command has ended.
  var listenEvents: AsyncStream<ListenEvent> { get }

  /// Waits until the command has ended, also when the task is cancelled.
  func ended() async -> WaitStatus

  /// Ends the command: SIGTERM, and SIGKILL if that is of no use for some time.
  func terminate() async
}
