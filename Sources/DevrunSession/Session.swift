internal import DevrunAgentAPI
public import DevrunConfig
public import DevrunCore
internal import DevrunKube
public import DevrunPlan
public import DevrunSystem
internal import DevrunView
internal import DevrunWorkload
internal import NIOCore
internal import NIOPosix

/// One connection of one command to one target.
///
/// `run` is the story: find the target, start the session's own pod, gather what the container has, start the command,
/// and take the target's traffic when the command listens. What is started is stopped in reverse.
public struct Session: Sendable {
  /// The session's name: part of the names of all that it makes.
  public let name: String
  let access: ClusterAccess
  let options: SessionOptions
  let environment: EnvironmentVariables
  let holder: String
  let hostname: String
  let reporter: RunReporter
  private let payloadDirectory: String
  private let urgency = RestoreUrgency()
  /// The Deployment behind the target, as `deployment/NAME`, once it is found: pods go, and their names with them.
  private let aim = Latch<String>()

  /// A session that is not connected yet.
  ///
  /// - Parameters:
  ///   - access: the cluster, the credentials and the namespace.
  ///   - options: what to do.
  ///   - environment: this process's environment, which the command's is made from.
  ///   - user: who runs it, for the record on the workload.
  ///   - hostname: this machine's name.
  ///   - reporter: who gets the news.
  /// - Throws: `WorkloadError.payloadMissing`
  public init(
    access: ClusterAccess, options: SessionOptions, environment: EnvironmentVariables, user: String,
    hostname: String, reporter: RunReporter
  ) throws {
    self.name = SessionName.random()
    self.access = access
    self.options = options
    self.environment = environment
    self.payloadDirectory = try Payload.directory()
    self.holder = "\(user)@\(hostname)"
    self.hostname = hostname
    self.reporter = reporter
  }

  /// Has everything put back without waiting for what need not be waited for.
  public func skipWaits() { urgency.skipWaits() }

  /// The command line that puts back what this session could not put back.
  public var restoreCommand: String { options.restoreCommand.text(of: aim.value ?? target) }

  /// A run, from the first look at the cluster to the last restored field.
  ///
  /// - Parameters:
  ///   - program: the program and its arguments.
  ///   - isolation: how its own view of files will be made.
  ///   - places: what this machine has at the paths of volumes.
  ///   - askingGroup: the process group in which a credential plugin can ask the user, `nil` while it cannot.
  ///   - ending: called when the session begins to put back what it changed.
  ///   - launch: starts the command as the plan says.
  /// - Returns: how the command ended.
  /// - Throws: what connecting failed of; `SessionError.notRestored` if something could not be put back.
  public func run(
    _ program: ProgramInvocation, isolation: Isolation, places: any MachinePlaces,
    askingGroup: @escaping @Sendable () -> Int32?, ending: @escaping @Sendable () -> Void,
    launch: @Sendable (ReadySession) async throws -> any RunningCommand
  ) async throws -> WaitStatus {
    try await connected(program, askingGroup: askingGroup, ending: ending) { connection in
      let podPorts = try await connection.listen(for: options.podPorts)
      let pod = try await connection.startPod(options, payload: try Payload(directory: payloadDirectory))
      if case .workload(let workload, _) = pod.target { aim.set("deployment/\(workload.name)") }
      let view = try await gather(from: pod, connection, isolation: isolation, obstacle: places.obstacle)
      let connector = await connection.serve(view, through: pod, limit: options.volumeLimit)
      let agents = await podPorts?.serve(pod)
      let wayIn = connection.wayIn(to: pod, options, replacing: agents)
      if wayIn != nil { try await pod.checkPorts(connection.context) }
      let plan = view.plan(
        for: program, isolation: isolation, forcesVolumes: options.forcesVolumes, listening: wayIn?.localPorts ?? [])
      // What cannot be shown here is no reason to change the target.
      try places.check(plan)
      try await wayIn?.begin()

      let command = try await launch(
        ReadySession(plan: plan, connector: connector, redirected: view.cluster.redirected))
      return try await accompany(command, by: wayIn)
    }
  }

  /// What a command would get as its environment.
  ///
  /// - Parameters: as `run`.
  /// - Returns: the variables, and the names of those whose values are secrets.
  /// - Throws: as `run`.
  public func environment(
    askingGroup: @escaping @Sendable () -> Int32?, ending: @escaping @Sendable () -> Void
  ) async throws -> (variables: EnvironmentVariables, secretNames: Set<RawString>) {
    let program = ProgramInvocation(executable: "", arguments: [])
    return try await connected(program, askingGroup: askingGroup, ending: ending) { connection in
      let pod = try await connection.startPod(
        options, payload: try Payload(directory: payloadDirectory), receives: false)
      let view = try await gather(from: pod, connection, isolation: .user, fetching: .named)
      return (view.environment.sorted(), view.secretNames)
    }
  }

  /// Connects to the cluster for as long as some work lasts, and stops whatever the work has started.
  private func connected<Value: Sendable>(
    _ program: ProgramInvocation, askingGroup: @escaping @Sendable () -> Int32?, ending: @escaping @Sendable () -> Void,
    _ work: (ClusterConnection) async throws -> Value
  ) async throws -> Value {
    introduce(program)
    let diagnosis = StateCollector(of: snapshot(of: program), reporter: reporter)
    let stopping: @Sendable () async -> Void = {
      ending()
      await diagnosis.restoring()
    }
    return try await withServices(reporter: reporter, stopping: stopping, remedy: { restoreCommand }) { services in
      let directory = try SessionDirectory(session: name, environment: environment)
      await services.onStop("removing \(directory.path)") { try directory.remove() }
      let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
      await services.onStop("stopping the event loop") { try await group.shutdownGracefully() }
      await answer(diagnosis, in: directory, group: group, services: services)
      let client = try KubeClient(
        access: access, environment: environment, group: group,
        options: .devrun(reporter: reporter, askingGroup: askingGroup))
      await services.onStop("closing the connections to the API server") { try await client.shutdown() }
      let context = SessionContext(
        name: name, namespace: Namespace(access.namespace, client: client), holder: holder, reporter: reporter,
        urgency: urgency, services: services,
        patience: Patience(limit: Patience.ofTheEnd, reporter: reporter, urgency: urgency),
        losses: Losses(), startTimeout: options.startTimeout,
        restoreCommand: options.restoreCommand, loop: group.next())
      return try await work(
        ClusterConnection(context: context, directory: directory, group: group, diagnosis: diagnosis))
    }
  }

  /// Waits until the command has ended. Meanwhile the way in follows what the command listens on; if it fails, the command
  /// is ended.
  private func accompany(_ command: any RunningCommand, by wayIn: ReplaceWay?) async throws -> WaitStatus {
    try await withThrowingTaskGroup(of: WaitStatus?.self) { group in
      group.addTask { await command.ended() }
      if let wayIn {
        group.addTask {
          try await wayIn.follow(command.listenEvents)
          return nil
        }
      }
      do {
        while let ended = try await group.next() {
          guard let ended else { continue }
          group.cancelAll()
          // What the way in fails of now, it fails of because it is cancelled.
          while let rest = await group.nextResult() { _ = rest }
          return ended
        }
      } catch {
        await command.terminate()
        throw error
      }
      throw CancellationError()
    }
  }
}

/// Names of sessions: short, random, and fit for names of Kubernetes' objects (RFC 1123 labels).
enum SessionName {
  static func random() -> String {
    // No vowels and no look-alikes, as Kubernetes' own generated names.
    let alphabet = Array("bcdfghjklmnpqrstvwxz2456789")
    return String((0..<8).map { _ in alphabet[Int.random(in: alphabet.indices)] })
  }
}
