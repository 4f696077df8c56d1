internal import DevrunCore
internal import DevrunSystem
internal import DevrunTunnel
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// The agent as a process: command line, signals, exit status.
public enum AgentProcess {
  /// Runs an agent until the process is told to end.
  ///
  /// - Parameter arguments: the command line without the program's name.
  /// - Returns: the exit status: 0 after a signal that ends a container, else an `AgentError`'s.
  public static func run(_ arguments: [String]) -> Int32 { run(arguments, archives: nil) }

  /// As `run(_:)`, with volumes that are read in another way, for tests of what devrun does about it.
  package static func run(_ arguments: [String], archives: ArchiveOpening?) -> Int32 {
    let log = AgentLog.standardError
    do {
      try run(AgentConfiguration(arguments: arguments), log: log, archives: archives)
      return 0
    } catch {
      let error = error as? AgentError ?? .system("\(error)")
      log(error.description)
      return error.exitStatus.rawValue
    }
  }

  private static func run(
    _ configuration: AgentConfiguration, log: AgentLog, archives: ArchiveOpening?
  ) throws {
    let signals = try TerminationSignals()
    guard NameResolver.useFilesAndDNSOnly() else { throw AgentError.system("the name service cannot be configured") }
    let memory = MemoryLimit.bytes { path in
      // Each kind of control group has its own files, so some are missing.
      let bytes = try? Descriptor.open(RawString(path), O_RDONLY).readToEnd(limit: 1 << 20)
      return bytes.map { String(decoding: $0, as: UTF8.self) }
    }
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let agent = try Agent.start(configuration, memory: memory, log: log, archives: archives, on: group.next()).wait()
    log("ready for devrun")
    try signals.wait()
    try agent.end().wait()
    try group.syncShutdownGracefully()
  }
}
