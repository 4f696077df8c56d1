// The agent: runs in the target's container instead of the app.
//
// It listens where the app would, and on one more port, on the pod's loopback, for devrun. What the cluster sends to
// the app's ports goes to devrun over the tunnel that attached last; what devrun asks for (connections into the
// cluster, the environment, files) is answered here. All of it happens on one event loop; looking up names and reading
// files, which can block, on a few threads beside it.

internal import DevrunTunnel
public import NIOCore
internal import NIOPosix

/// An agent that is running.
public final class Agent: Sendable {
  /// How long an agent that was told to end goes on: endpoints are taken out of services with some delay.
  public struct Patience: Sendable {
    /// New connections are still accepted for so long.
    public var serving: TimeAmount = .seconds(2)
    /// Then the open ones may end within so long.
    public var draining: TimeAmount = .seconds(8)

    /// The usual times.
    public init() {}
  }

  /// The connection on which the agent opens streams.
  struct Inbound: Sendable {
    let channel: any Channel
    let streams: StreamOpener
  }

  struct State {
    var attachments = AttachmentTable<any Channel, Inbound>()
    var control: (any Channel)?
    var probes: (any Channel)?
    var targets: [any Channel] = []
    var isReady = false
    /// All that are joined to streams or wait for that.
    let connections = OpenConnections()
    /// Those of them that the cluster made.
    let accepted = OpenConnections()
    /// Connections to the app's ports that wait for a tunnel.
    var held: [HeldConnection] = []
    /// Succeeds when the last tunnel ends; made by an agent that is ending.
    var detached: EventLoopPromise<Void>?
  }

  /// How long devrun may take to say whether something listens at the local port.
  static let inboundDialTimeout = TimeAmount.seconds(30)

  /// The event loop of everything in the agent.
  public let eventLoop: any EventLoop
  let limits: ConnectionLimits
  let pool: WindowPool
  let state: NIOLoopBoundBox<State>
  let log: AgentLog
  let threads: NIOThreadPool
  let readyFile: ReadyFile
  let readyPort: ReadyPort
  let holding: TimeAmount
  /// How many connections may wait for a tunnel.
  let maximumHeld: Int
  let requests: RequestServer

  private init(
    _ configuration: AgentConfiguration, memory: Int, log: AgentLog, archives: @escaping ArchiveOpening,
    on eventLoop: any EventLoop
  ) {
    let state = NIOLoopBoundBox.makeBoxSendingValue(State(), eventLoop: eventLoop)
    self.eventLoop = eventLoop
    self.log = log
    self.limits = .fitting(memory: memory)
    self.pool = WindowPool(limits, on: eventLoop)
    self.state = state
    self.threads = NIOThreadPool(numberOfThreads: 4)
    self.readyFile = ReadyFile(path: configuration.readyFile, log: log)
    self.readyPort = ReadyPort(port: configuration.readyPort, log: log, on: eventLoop)
    self.holding = .seconds(configuration.holdingSeconds)
    self.maximumHeld = Self.maximumHeld(memory: memory, limits: limits)
    self.requests = RequestServer(
      sockets: SocketDialer(on: eventLoop, limits: limits), resolver: NameResolver(threads: threads), threads: threads,
      environmentFile: configuration.environmentFile, archives: archives
    ) { state.value.connections.add($0) }
  }

  /// How many connections may wait for a tunnel: an eighth of the memory holds what their peers can send meanwhile. The
  /// kernel takes twice the size that is set for a socket's buffer (socket(7)).
  static func maximumHeld(memory: Int, limits: ConnectionLimits) -> Int {
    max(16, memory / 8 / (2 * limits.socketBuffer))
  }

  /// Starts an agent: listens on the app's ports, then for probes, then on the control port.
  ///
  /// - Parameters:
  ///   - memory: how much the container may use, in bytes.
  ///   - archives: how volumes are read; `nil` for as they are.
  /// - Returns: a future that fails with an `AgentError`.
  package static func start(
    _ configuration: AgentConfiguration, memory: Int, log: AgentLog, archives: ArchiveOpening? = nil,
    on eventLoop: any EventLoop
  ) -> EventLoopFuture<Agent> {
    guard let digest = SecretDigest(hexadecimal: configuration.secretDigest) else {
      return eventLoop.makeFailedFuture(AgentError.usage("the secret's digest needs 64 hexadecimal digits"))
    }
    let agent = Agent(
      configuration, memory: memory, log: log, archives: archives ?? ArchiveSource.opening, on: eventLoop)
    agent.threads.start()
    // A ready file of a former run must not outlive it.
    agent.readyFile.set(false)
    let listening = agent.listen(ports: configuration.ports[...]).flatMap {
      agent.listen(ports: configuration.optionalPorts[...], areOptional: true)
    }.flatMap {
      agent.listenForProbes(configuration.probePort)
    }.flatMap {
      ControlListener(digest: digest, limits: agent.limits) { try agent.attach($0, $1) }
        .listen(port: configuration.controlPort, on: eventLoop)
        .flatMapErrorThrowing { throw AgentError.controlPort(configuration.controlPort, reason(of: $0)) }
    }
    return listening.map { control in
      agent.state.value.control = control
      return agent
    }.flatMapError { error in
      agent.close().flatMapThrowing { throw error }
    }
  }

  /// - Parameter areOptional: whether the agent goes without those that it may not listen on.
  private func listen(ports: ArraySlice<Int>, areOptional: Bool = false) -> EventLoopFuture<Void> {
    guard let port = ports.first else { return eventLoop.makeSucceededVoidFuture() }
    let listener = TargetListener(eventLoop: eventLoop, limits: limits) { [self] in accept($0, port: $1) }
    return listener.listen(port: port)
      .flatMapErrorThrowing { throw AgentError.targetPort(port, reason(of: $0)) }
      .map { [state] in state.value.targets.append($0) }
      .flatMapErrorThrowing { [log] error in
        guard areOptional, PortTrial.isForbidden(port) else { throw error }
        log("port \(port) is left out: this container's user may not listen on it")
      }
      .flatMap { [self] in listen(ports: ports.dropFirst(), areOptional: areOptional) }
  }

  private func listenForProbes(_ port: Int?) -> EventLoopFuture<Void> {
    guard let port else { return eventLoop.makeSucceededVoidFuture() }
    return ProbeListener(eventLoop: eventLoop) { [state] in state.value.isReady }
      .listen(port: port)
      .flatMapErrorThrowing { throw AgentError.probePort(port, reason(of: $0)) }
      .map { [state] in state.value.probes = $0 }
  }

  /// Where the agent listens, in the order of the configuration: the control port and the app's.
  package func addresses() -> EventLoopFuture<(control: SocketAddress?, targets: [SocketAddress])> {
    eventLoop.submit { [state] in
      (state.value.control?.localAddress, state.value.targets.compactMap(\.localAddress))
    }
  }

  /// Where the agent answers probes.
  package func probeAddress() -> EventLoopFuture<SocketAddress?> {
    eventLoop.submit { [state] in state.value.probes?.localAddress }
  }
}
