internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel
internal import NIOCore

/// Brings connections to ports on the localhost of the target's pods.
struct PodPortWays: Sendable {
  /// The target's pods.
  let pods: TargetPods
  /// The tunnels to those in which the agent runs.
  let replaced: ReplacedPods
  let namespace: Namespace
  /// The event loop of the connections.
  let loop: any EventLoop
  /// How long a connection waits for a pod.
  var patience = Duration.seconds(10)

  private let problems: PodPortProblems

  init(
    pods: TargetPods, replaced: ReplacedPods, namespace: Namespace, reporter: any Reporter, loop: any EventLoop
  ) {
    self.pods = pods
    self.replaced = replaced
    self.namespace = namespace
    self.loop = loop
    problems = PodPortProblems(reporter)
  }

  /// Serves one connection until it ends or the task is cancelled. Where no pod can be reached it is reset.
  func serve(_ connection: PodPortListener.Connection) async {
    let (near, port) = (connection.channel, connection.port)
    do {
      try await withThrowingDiscardingTaskGroup { group in
        // A client that gives up meanwhile ends the wait.
        group.addTask {
          await Self.closed(near)
          throw CancellationError()
        }
        group.addTask {
          try await join(near, to: port)
        }
      }
    } catch {
      // What it failed of is reported by `join`.
      PodPortListener.reset(near)
    }
  }

  /// Joins the connection with one to the port of a pod.
  private func join(_ near: any Channel, to port: UInt16) async throws {
    do {
      let far = try await dial(port, for: near)
      try await near.eventLoop.submit {
        try Relay.join(near, far.channel, farEndsWhole: far.endsWhole)
      }.get()
    } catch {
      guard !Task.isCancelled, !(error is CancellationError) else { throw error }
      let failure = error as? PodFailure
      problems.report(failure?.cause ?? error, port: port, pod: failure?.pod)
      throw error
    }
  }

  /// A connection to a pod.
  private struct Far: Sendable {
    var channel: any Channel
    /// Whether it has no half-close.
    var endsWhole: Bool
  }

  /// Connects to the port in one of the pods.
  private func dial(_ port: UInt16, for near: any Channel) async throws -> Far {
    try await pods.reach(within: patience) { try await dial(port, in: $0.name, for: near) }
  }

  private func dial(_ port: UInt16, in pod: String, for near: any Channel) async throws -> Far {
    if let tunnel = replaced.tunnel(to: pod), let channel = try await Self.dial(port, through: tunnel) {
      return Far(channel: channel, endsWhole: false)
    }
    return Far(channel: try await forward(port, of: pod, for: near), endsWhole: true)
  }

  /// Connects by the agent, which tries both loopback addresses as the kubelet does: some listen on the one alone.
  ///
  /// - Returns: `nil` if the tunnel is over.
  /// - Throws: `DialError`, of the first address; `CancellationError`
  private static func dial(_ port: UInt16, through tunnel: Tunnel) async throws -> (any Channel)? {
    var first: DialError?
    for host in ["127.0.0.1", "::1"] {
      switch await result(of: { () async throws(DialError) in try await tunnel.dial(host: host, port: Int(port)) }) {
      case .success(let channel): return channel
      case .failure(.tunnelClosed):
        try Task.checkCancellation()
        return nil
      case .failure(let error):
        first = first ?? error
        guard error.errno == .connectionRefused else { throw first ?? error }
      }
    }
    throw first ?? DialError.tunnelClosed
  }

  private static func result<Value: Sendable, Failure: Error>(
    of work: () async throws(Failure) -> Value
  ) async -> Result<Value, Failure> {
    do { return .success(try await work()) } catch { return .failure(error) }
  }

  private func forward(_ port: UInt16, of pod: String, for near: any Channel) async throws -> any Channel {
    let problems = problems
    let client = LocalClient(client: near.remoteAddress, server: near.localAddress)
    return try await namespace.client.portForward(namespace: namespace.name, pod: pod, port: port, on: loop) {
      channel in
      let stream = PortForwardStream(isNearGone: { client?.isGone == true }) {
        problems.report($0, port: port, pod: pod)
      }
      try channel.pipeline.syncOperations.addHandler(stream)
    }
  }

  /// Waits until a channel is closed.
  private static func closed(_ channel: any Channel) async {
    let waits = AsyncStream<Never>.makeStream()
    channel.closeFuture.whenComplete { _ in waits.continuation.finish() }
    for await _ in waits.stream {}
  }
}
