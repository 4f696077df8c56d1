internal import DevrunAgentAPI
public import DevrunConfig
internal import DevrunCore
internal import DevrunKube
public import DevrunPlan
public import DevrunSystem
internal import DevrunView
internal import DevrunWorkload
internal import NIOCore
internal import NIOPosix

/// One connection to one target, for as long as one command runs.
///
/// `run` is the story: find the target, put the agent in its place, connect, gather what the container has, start the
/// command, and make everything what it was. Each thing that is done registers first how it is undone.
public struct Session: Sendable {
  /// The session's name: part of the names of all that it makes.
  public let name: String
  let access: ClusterAccess
  let options: SessionOptions
  let environment: EnvironmentVariables
  let holder: String
  let hostname: String
  let log: SessionLog
  private let payloadDirectory: String
  private let urgency = RestoreUrgency()

  /// A session that is not connected yet.
  ///
  /// - Parameters:
  ///   - access: the cluster, the credentials and the namespace.
  ///   - options: what to do.
  ///   - environment: this process's environment, which the command's is made from.
  ///   - user: who runs it, for the record on the workload.
  ///   - hostname: this machine's name.
  ///   - log: the session's log, which gets the news and hands it on.
  /// - Throws: `WorkloadError.payloadMissing`
  public init(
    access: ClusterAccess, options: SessionOptions, environment: EnvironmentVariables, user: String,
    hostname: String, log: SessionLog
  ) throws {
    self.name = SessionName.random()
    self.access = access
    self.options = options
    self.environment = environment
    self.payloadDirectory = try Payload.directory()
    self.holder = "\(user)@\(hostname)"
    self.hostname = hostname
    self.log = log
  }

  /// Has everything put back without waiting for what need not be waited for: the cluster makes the app's pods anew by
  /// itself, and connections that are still open are cut.
  public func skipWaits() { urgency.skipWaits() }

  /// Connects, runs the command by `launch`, and takes everything down again, whatever happens in between and when the
  /// task is cancelled too.
  ///
  /// - Parameters:
  ///   - program: the program and its arguments.
  ///   - isolation: how its own view of files will be made.
  ///   - askingGroup: the process group in which a credential plugin can ask the user, `nil` while it cannot.
  ///   - launch: starts the command as the plan says and returns when it has ended.
  /// - Returns: what `launch` returned.
  /// - Throws: what connecting failed of; `SessionError.notRestored` if something could not be put back.
  public func run<Result: Sendable>(
    _ program: ProgramInvocation, isolation: Isolation, askingGroup: @escaping @Sendable () -> Int32?,
    launch: @Sendable (ReadySession) async throws -> Result
  ) async throws -> Result {
    introduce(program)
    let teardown = Teardown(reporter: log)
    let diagnosis = StateCollector(of: snapshot(of: program), log: log)
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(
        try await connectAndRun(
          program, isolation: isolation, askingGroup: askingGroup, teardown: teardown, diagnosis: diagnosis,
          launch: launch))
    } catch {
      outcome = .failure(error)
    }
    await diagnosis.restoring()
    let failures = await withoutCancellation { await teardown.run() }
    if !failures.isEmpty {
      let lost = SessionError.notRestored(failures, remedy: RestoreCommandLine.text(in: access.namespace))
      if case .failure(let error) = outcome { throw ConnectAndRestoreError(cause: error, restoring: lost) }
      throw lost
    }
    return try outcome.get()
  }

  private func connectAndRun<Result: Sendable>(
    _ program: ProgramInvocation, isolation: Isolation, askingGroup: @escaping @Sendable () -> Int32?,
    teardown: Teardown, diagnosis: StateCollector, launch: @Sendable (ReadySession) async throws -> Result
  ) async throws -> Result {
    let payload = try Payload(directory: payloadDirectory)
    let directory = try SessionDirectory(session: name, environment: environment)
    await teardown.add("removing \(directory.path)") { try directory.remove() }

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    await teardown.add("stopping the event loop") { try await group.shutdownGracefully() }
    await answer(diagnosis, in: directory, group: group, teardown: teardown)
    let client = try KubeClient(
      access: access, environment: environment, group: group, options: .devrun(askingGroup: askingGroup))
    await teardown.add("closing the connections to the API server") { try await client.shutdown() }

    let namespace = Namespace(access.namespace, client: client)
    let watch = ServiceWatch(
      from: namespace, others: options.localEnv.serviceReferences.compactMap(\.namespace) + access.otherNamespaces)
    let listing = try await watch.list()
    if !listing.omitted.isEmpty {
      log.report(.detail("services of these namespaces are left out: \(listing.omitted.joined(separator: ", "))"))
    }

    let placement = AgentPlacement(
      context: SessionContext(
        name: name, namespace: namespace, holder: holder, reporter: log, urgency: urgency, teardown: teardown),
      container: options.container, ports: options.ports, localEnv: options.localEnv, payload: payload,
      loop: group.next(), diagnosis: diagnosis)
    let agents = try await placement.place(options.target)
    await diagnosis.placed(agents)
    let view = try await makeView(
      of: agents, listing.services, isolation: isolation, in: directory, teardown: teardown)
    await diagnosis.gathered(view)

    let connector = TunnelConnector(tunnels: agents.pods.tunnels, view: view.cluster, group: group)
    await teardown.add("closing the local ends") { await connector.close() }
    await teardown.inBackground("following the services", failure: "new services are not seen any more") {
      try await watch.follow(view.cluster, scopes: listing.scopes)
    }
    let renewal = VolumeRenewal(
      view.volumes, tunnels: agents.pods.tunnels, directory: directory, limit: options.volumeLimit, reporter: log)
    await teardown.inBackground("renewing volumes") { await renewal.run() }
    for fact in agents.facts { log.report(.fact(fact)) }
    return try await launch(
      ReadySession(
        plan: view.plan(for: program, isolation: isolation, forcesVolumes: options.forcesVolumes),
        connector: connector, redirected: view.cluster.redirected, secretNames: view.secretNames))
  }

  /// Gathers what the command is to see: the container's variables and volumes, and the cluster's services.
  private func makeView(
    of agents: PlacedAgents, _ services: [KubeObject], isolation: Isolation, in directory: SessionDirectory,
    teardown: Teardown
  ) async throws -> SessionView {
    async let variables = agents.tunnel.environment()
    async let facts = agents.tunnel.info()
    let (container, info) = try await (variables, facts)
    let secrets = SecretMask.secrets(in: container, of: agents.pod, container: agents.container)
    log.mask(secrets.map(\.description))
    let cluster = ClusterView.make(
      of: services, localEnv: options.localEnv, namespace: access.namespace, domain: info.clusterDomain,
      container: container, hostname: hostname, directory: directory, reporter: log)
    let volumes = try await MaterializedVolumes.make(
      of: agents.container, in: agents.pod, localEnv: options.localEnv, isolation: isolation,
      fetch: VolumeFetch(tunnel: agents.tunnel, limit: options.volumeLimit, reporter: log), memory: directory
    ) {
      let disk = try SessionDirectory(onDiskFor: name, environment: environment)
      await teardown.add("removing \(disk.path)") { try disk.remove() }
      return disk
    }
    let resolved = try ChildEnvironment.make(
      options.environmentRequest, shell: environment, container: container, view: cluster, volumes: volumes,
      namespace: access.namespace)
    log.mask(resolved.filter { SecretMask.looksSecret($0.name.description) }.map(\.value.description))
    return SessionView(
      cluster: cluster, info: info, volumes: volumes, environment: resolved, secrets: secrets,
      hostsFile: try cluster.writeHosts(), nameService: try NameService(directory: directory))
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
