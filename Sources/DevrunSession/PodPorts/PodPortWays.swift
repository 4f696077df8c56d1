internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel
internal import NIOCore
internal import Synchronization

/// Brings connections to ports on the localhost of the target's pods.
struct PodPortWays: Sendable {
  /// The target's pods.
  let pods: TargetPods
  /// The tunnels to those in which the agent runs.
  let replaced: ReplacedPods
  let namespace: Namespace
  let reporter: any Reporter
  /// The event loop of the connections.
  let loop: any EventLoop
  /// How long a connection waits for a pod.
  var patience = Duration.seconds(10)

  private let told = ToldProblems()

  init(
    pods: TargetPods, replaced: ReplacedPods, namespace: Namespace, reporter: any Reporter, loop: any EventLoop
  ) {
    self.pods = pods
    self.replaced = replaced
    self.namespace = namespace
    self.reporter = reporter
    self.loop = loop
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
      let far = try await dial(port)
      try await near.eventLoop.submit {
        try Relay.join(near, far.channel, farEndsWhole: far.endsWhole)
      }.get()
    } catch {
      guard !Task.isCancelled, !(error is CancellationError) else { throw error }
      let failure = error as? PodFailure
      report(failure?.cause ?? error, port: port, pod: failure?.pod)
      throw error
    }
  }

  /// Why a connection to a pod failed.
  private struct PodFailure: Error {
    var pod: String
    var cause: any Error
  }

  private func report(_ error: any Error, port: UInt16, pod: String? = nil) {
    let words = ErrorMessage(oneLineOf: error).what
    guard told.isNew("\(port) \(words)") else { return }
    let place = pod.map { "pod/\($0)" } ?? "the target's pods"
    reporter.report(
      .warning(ErrorMessage("a connection to port \(port) on the localhost of \(place) failed", why: words)))
  }

  /// A connection to a pod.
  private struct Far: Sendable {
    var channel: any Channel
    /// Whether it has no half-close.
    var endsWhole: Bool
  }

  /// Connects to the port in the pod that stands for all, or in another if that is just going.
  private func dial(_ port: UInt16) async throws -> Far {
    var failed: Set<String> = []
    while true {
      let besides = failed
      let pod = try await within(patience) { try await pods.pod(besides: besides) }
      do {
        return try await dial(port, in: pod.name)
      } catch {
        guard let cause = error as? KubeError, cause.isNotFound else { throw PodFailure(pod: pod.name, cause: error) }
        failed.insert(pod.uid)
      }
    }
  }

  private func dial(_ port: UInt16, in pod: String) async throws -> Far {
    if let tunnel = replaced.tunnel(to: pod), let channel = try await Self.dial(port, through: tunnel) {
      return Far(channel: channel, endsWhole: false)
    }
    return Far(channel: try await forward(port, of: pod), endsWhole: true)
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

  private func forward(_ port: UInt16, of pod: String) async throws -> any Channel {
    let ways = self
    return try await namespace.client.portForward(namespace: namespace.name, pod: pod, port: port, on: loop) {
      channel in
      let stream = PortForwardStream { ways.report($0, port: port, pod: pod) }
      try channel.pipeline.syncOperations.addHandler(stream)
    }
  }

  /// Waits until a channel is closed.
  private static func closed(_ channel: any Channel) async {
    let waits = AsyncStream<Never>.makeStream()
    channel.closeFuture.whenComplete { _ in waits.continuation.finish() }
    for await _ in waits.stream {}
  }

  /// Does work that has a limited time.
  private func within<Value: Sendable>(
    _ limit: Duration, _ work: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
      defer { group.cancelAll() }
      group.addTask { try await work() }
      group.addTask {
        try await Task.sleep(for: limit)
        throw NoPod(limit: limit)
      }
      guard let value = try await group.next() else { throw CancellationError() }
      return value
    }
  }
}

/// No pod of the target could be reached in time.
private struct NoPod: UserFacingError {
  var limit: Duration

  var message: ErrorMessage { ErrorMessage("no pod of the target ran within \(DurationText.text(limit))") }
}

/// The problems that were reported: each is reported once.
private final class ToldProblems: Sendable {
  private let problems = Mutex<Set<String>>([])

  func isNew(_ problem: String) -> Bool { problems.withLock { $0.insert(problem).inserted } }
}
