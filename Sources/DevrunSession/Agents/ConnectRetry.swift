internal import DevrunCore
internal import DevrunKube
internal import DevrunTunnel

/// Decides when the next attempt to connect to a pod's agent is made, from how the attempts and the tunnels until now ended.
struct ConnectRetry: Sendable {
  /// A tunnel that lasted as long as this was a success: what comes after it begins a new row of failures.
  static let stableLife: Duration = .seconds(30)

  /// The kinds of failures of an attempt.
  enum Failure: Hashable, Sendable {
    /// The container runs, and the agent in it does not listen yet: there is no event for the moment when it does.
    case notListening
    /// The network or the API server is away for a while.
    case passing
    /// Somebody refuses the connection, in words of their own.
    case refused

    /// The waits after failures of this kind.
    fileprivate var backoff: Backoff {
      switch self {
      case .notListening: Backoff(limit: .seconds(1))
      case .passing: Backoff(first: .milliseconds(100), limit: .seconds(10))
      case .refused: Backoff(first: .seconds(1), limit: .seconds(60))
      }
    }
  }

  private var attempts = 0
  private var refusals = 0
  private var lastKind: Failure?

  /// How many attempts a container has to start the agent in before its silence is worth the node's own words.
  private static let startAttempts = 6

  /// Whether nothing has happened yet but that the container has started and the agent in it does not listen.
  var isStarting: Bool { lastKind == .notListening && attempts <= Self.startAttempts }

  /// Whether the connection was refused more than once in a row: a single refusal may be an accident of the cluster's
  /// authorizer.
  var isRefused: Bool { refusals > 1 }

  /// An attempt failed.
  ///
  /// - Parameter jitter: how much of the wait's second half is left out, 0 to 1.
  /// - Returns: how long to wait before the next attempt.
  mutating func failed(_ failure: Failure, jitter: Double) -> Duration {
    if failure != lastKind { attempts = 0 }
    lastKind = failure
    attempts += 1
    refusals = failure == .refused ? refusals + 1 : 0
    return failure.backoff.duration(after: attempts, jitter: jitter)
  }

  /// A tunnel was up for a while, and broke.
  ///
  /// - Returns: how long to wait before the next attempt.
  mutating func broke(after life: Duration, jitter: Double) -> Duration {
    if life >= Self.stableLife { self = ConnectRetry() }
    return failed(.passing, jitter: jitter)
  }
}

extension ConnectRetry.Failure {
  /// The kind of an error that an attempt to connect to a pod threw.
  ///
  /// - Parameter pod: the pod's name. A pod that is not found is about to be reported as deleted.
  init(_ error: any Error, pod: String) {
    self =
      switch error {
      case let error as KubeError: error.isTransient || error.isNotFound(pod: pod) ? .passing : .refused
      case PortForwardError.subprotocolRefused: .refused
      case PortForwardError.remote(let words): Self.lacksProgram(words) ? .refused : .notListening
      case is PortForwardError: .passing
      case TunnelError.refused: .refused
      case TunnelError.noAgent(let words): Self.lacksProgram(words) ? .refused : .notListening
      case is TunnelError: .passing
      default: .passing
      }
  }

  /// Whether the node lacks the program by which it forwards ports: dockershim, and old containerd and CRI-O, run socat.
  /// There is no structure in what the node answers, only words ("unable to do port forwarding: socat not found",
  /// "failed to find socat").
  private static func lacksProgram(_ words: String) -> Bool {
    ["socat", "nsenter"].contains { words.contains($0) } && ["not found", "find"].contains { words.contains($0) }
  }
}

extension KubeError {
  /// Whether the API server has no pod of this name, in difference to a resource that it does not have.
  fileprivate func isNotFound(pod: String) -> Bool {
    isNotFound && status?.details.name == pod
  }
}
