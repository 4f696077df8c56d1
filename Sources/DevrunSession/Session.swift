public import DevrunConfig
public import DevrunCore
internal import DevrunKube
public import DevrunPlan
public import DevrunSystem
internal import DevrunTunnel
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
  let payloadDirectory: String
  let holder: String
  let hostname: String
  let observer: any SessionObserver
  let log: SessionLog?
  let haste = Haste()

  /// A session that is not connected yet.
  ///
  /// - Parameters:
  ///   - access: the cluster, the credentials and the namespace.
  ///   - options: what to do.
  ///   - environment: this process's environment, which the command's is made from.
  ///   - user: who runs it, for the record on the workload.
  ///   - hostname: this machine's name.
  ///   - observer: who is told.
  ///   - log: the session's log, if it has one. It is told by the observer, or is the observer.
  /// - Throws: `SessionError.payloadMissing`
  public init(
    access: ClusterAccess, options: SessionOptions, environment: EnvironmentVariables, user: String,
    hostname: String, observer: any SessionObserver, log: SessionLog? = nil
  ) throws {
    self.name = SessionName.random()
    self.access = access
    self.options = options
    self.environment = environment
    self.payloadDirectory = try Payload.directory()
    self.holder = "\(user)@\(hostname)"
    self.hostname = hostname
    self.observer = observer
    self.log = log
  }

  /// Has everything put back without waiting for what need not be waited for: the cluster makes the app's pods anew by
  /// itself, and connections that are still open are cut.
  public func hasten() { haste.want() }

  /// Connects, runs the command by `launch`, and takes everything down again, whatever happens in between and when the
  /// task is cancelled too.
  ///
  /// - Parameters:
  ///   - command: the program and its arguments.
  ///   - isolation: how its own view of files will be made.
  ///   - askingGroup: the process group in which a credential plugin can ask the user, `nil` while it cannot.
  ///   - launch: starts the command as the plan says and returns when it has ended.
  /// - Returns: what `launch` returned.
  /// - Throws: what connecting failed of; `SessionError.notRestored` where something could not be put back.
  public func run<Result: Sendable>(
    _ command: ProgramInvocation, isolation: Isolation, askingGroup: @escaping @Sendable () -> Int32?,
    launch: @Sendable (Connected) async throws -> Result
  ) async throws -> Result {
    introduce(command)
    let teardown = Teardown()
    let diagnosis = Diagnosis(session: self, command: command)
    let outcome: Swift.Result<Result, any Error>
    do {
      outcome = .success(
        try await connectAndRun(
          command, isolation: isolation, askingGroup: askingGroup, teardown: teardown, diagnosis: diagnosis,
          launch: launch))
    } catch {
      outcome = .failure(error)
    }
    await diagnosis.restoring()
    // A cancelled task must still put everything back: a task of its own is not cancelled.
    let failures = await Task { await teardown.run() }.value
    if !failures.isEmpty {
      let lost = SessionError.notRestored(failures, remedy: Restoration.commandLine(in: access.namespace))
      if case .failure(let error) = outcome { throw ConnectAndRestoreError(cause: error, restoring: lost) }
      throw lost
    }
    return try outcome.get()
  }

  private func connectAndRun<Result: Sendable>(
    _ command: ProgramInvocation, isolation: Isolation, askingGroup: @escaping @Sendable () -> Int32?,
    teardown: Teardown, diagnosis: Diagnosis,
    launch: @Sendable (Connected) async throws -> Result
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

    let named = options.localEnv.serviceReferences.compactMap(\.namespace)
    let watch = ServiceWatch(
      client: client, namespace: access.namespace, others: named + access.otherNamespaces)
    let listing = try await watch.list()
    if !listing.omitted.isEmpty {
      observer.tell(.detail("services of these namespaces are left out: \(listing.omitted.joined(separator: ", "))"))
    }

    let placement = AgentPlacement(
      session: self, client: client, payload: payload, group: group, teardown: teardown, diagnosis: diagnosis)
    let agents = try await placement.place(options.target)
    await diagnosis.placed(agents)
    let tunnel = agents.tunnel
    async let container = tunnel.environment()
    async let info = tunnel.info()

    let variables = EnvironmentVariables(entries: try await container, origin: .container)
    let secrets = SecretMask.secrets(in: variables, podSpec: agents.pod["spec"] ?? [:], container: agents.container)
    log?.mask(secrets.map(\.description))
    let view = try ClusterView.make(
      session: self, services: listing.services, domain: try await info.clusterDomain, container: variables,
      directory: directory)
    let volumes = try await materialize(agents, isolation: isolation, directory: directory, teardown: teardown)
    let hostsFile = try view.writeHosts()
    let acceptor = TunnelConnector(tunnels: agents.pods.tunnels, view: view, group: group)
    await teardown.add("closing the local ends") { await acceptor.close() }

    let nameService = try NameService(directory: directory)
    let resolved = try childEnvironment(container: variables, view: view, volumes: volumes)
    log?.mask(resolved.filter { SecretMask.looksSecret($0.name.description) }.map(\.value.description))
    await diagnosis.gathered(
      .init(
        view: view, info: try await info, volumes: volumes, environment: resolved))
    let plan = LaunchPlan(
      executable: command.executable, arguments: command.arguments,
      environment: resolved.sorted(),
      isolation: isolation, hostsFile: RawString(hostsFile),
      nameServiceSwitchFile: nameService.switchFile.map { RawString($0) }, mounts: volumes.mounts,
      forcesVolumes: options.forcesVolumes,
      hiddenPaths: nameService.hiddenPaths.map { RawString($0) })
    let following = Task {
      do {
        try await watch.follow(view, scopes: listing.scopes)
      } catch {
        guard !Task.isCancelled else { return }
        observer.tell(.warning(ErrorMessage("new services are not seen any more", why: "\(error)")))
      }
    }
    await teardown.add("following the services") {
      following.cancel()
      await following.value
    }
    let renewal = VolumeRenewal(
      volumes, tunnels: agents.pods.tunnels, events: agents.pods.events, directory: directory,
      limit: options.volumeLimit, observer: observer)
    let renewing = Task { await renewal.run() }
    await teardown.add("renewing volumes") {
      renewing.cancel()
      await renewing.value
    }
    for fact in agents.facts { observer.tell(.fact(fact)) }
    let secretNames = resolved.filter {
      SecretMask.looksSecret($0.name.description) || !$0.value.bytes.isEmpty && secrets.contains($0.value)
    }.map(\.name)
    return try await launch(
      Connected(plan: plan, connector: acceptor, redirected: view.redirected, secretNames: Set(secretNames)))
  }

  /// The command's environment.
  private func childEnvironment(container: EnvironmentVariables, view: ClusterView, volumes: MaterializedVolumes) throws
    -> EnvironmentVariables
  {
    let services = view.services
    let local = services.compactMap { key, entry -> ServiceAddress? in
      guard key.namespace == access.namespace, let address = entry.clusterIPs.first else { return nil }
      return ServiceAddress(name: key.name, clusterIP: address.description, local: entry.local.description)
    }
    var result = ChildEnvironment(
      shell: environment, container: container, filter: options.containerVariables, services: local, assignments: [],
      clusterNames: ["127.0.0.0/8", ".svc", ".cluster.local"]
        + services.flatMap { $1.names + $1.clusterIPs.map(\.description) }.sorted())
    let assignments = try options.localEnv.environment(volumes: volumes.names, variables: result.resolved()) { use in
      volumes.folder(of: use)
    } serviceAddress: { reference in
      let key = AddressBook.Key(namespace: reference.namespace ?? access.namespace, name: reference.name)
      return view.address(of: key)?.description ?? ""
    }
    result.assignments = options.projectVariables + assignments + options.variables
    return result.resolved()
  }
}

/// What a session has made ready when it is connected.
public struct Connected: Sendable {
  /// What to run, and what it sees.
  public var plan: LaunchPlan
  /// Reaches the cluster for it.
  public var connector: any OutboundConnector
  /// The addresses whose connections are redirected.
  public var redirected: RedirectTable
  /// The names of its variables whose values are secrets: of a Secret, equal to one of such, or named as if they were.
  public var secretNames: Set<RawString>
}

/// The program that a session runs.
public struct ProgramInvocation: Sendable {
  /// The program's path.
  public var executable: RawString
  /// Its arguments, the first of which is its name.
  public var arguments: [RawString]

  /// A command of the given parts.
  public init(executable: RawString, arguments: [RawString]) {
    self.executable = executable
    self.arguments = arguments
  }
}

/// Connecting failed, and so did putting something back.
struct ConnectAndRestoreError: UserFacingError {
  var cause: any Error
  var restoring: SessionError

  var message: ErrorMessage {
    let first = (cause as? any UserFacingError)?.message ?? ErrorMessage("\(cause)")
    let words = [first.why, "and then: \(restoring.message.what)", restoring.message.why].compactMap { $0 }
    return ErrorMessage(first.what, why: words.joined(separator: "\n"), remedy: restoring.message.remedy)
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
