internal import DevrunCore
internal import DevrunKube

extension TargetPods {
  /// Connects to the pod that stands for all, or to another if that one cannot be reached.
  ///
  /// A pod that is gone may be followed by one that is yet to come. A pod that the cluster does not reach is only left for
  /// another that is there: its node may have failed, and the pod is said to run for minutes.
  ///
  /// - Parameters:
  ///   - patience: how long to wait for a pod.
  ///   - connect: connects to a pod.
  /// - Throws: `NoPod`; `PodFailure`, of the first pod that was not reached if no pod was; `CancellationError`
  func reach<Connection: Sendable>(
    within patience: Duration, _ connect: (PodSelection.Candidate) async throws -> Connection
  ) async throws -> Connection {
    var failed: Set<String> = []
    var first: PodFailure?
    while true {
      let pod: PodSelection.Candidate
      if let first {
        guard let other = podNow(besides: failed) else { throw first }
        pod = other
      } else {
        pod = try await within(patience) { [failed] in try await self.pod(besides: failed) }
      }
      do {
        return try await connect(pod)
      } catch {
        try Task.checkCancellation()
        let failure = PodFailure(pod: pod.name, cause: error)
        switch failure.meaning {
        case .gone: break
        case .unreachable: first = first ?? failure
        case .refused: throw failure
        }
        failed.insert(pod.uid)
      }
    }
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

/// Why a connection to a pod failed.
struct PodFailure: Error {
  /// What a failure says about its pod.
  enum Meaning: Sendable, Hashable {
    /// The pod does not exist any more.
    case gone
    /// Nothing is heard of the pod, or of what leads to it. Another may be reached.
    case unreachable
    /// The pod itself refuses the connection, or the cluster refuses it for each pod.
    case refused
  }

  /// The pod's name.
  var pod: String
  /// The failure.
  var cause: any Error

  /// What it says about the pod.
  var meaning: Meaning {
    switch cause {
    case let error as KubeError:
      if error.isNotFound { return .gone }
      switch error {
      case .status(let status, _, _): return status.code >= 500 || status.code == 408 ? .unreachable : .refused
      // The API server was there, and is silent itself while it waits for the node.
      case .transport(.responseTimeout, _), .transport(.dropped, _), .unexpectedResponse: return .unreachable
      case .transport, .unauthorized, .configuration, .credentials: return .refused
      }
    case let error as PortForwardError:
      switch error {
      case .peerSilent, .closed: return .unreachable
      case .remote, .protocolViolation, .subprotocolRefused: return .refused
      }
    default: return .refused
    }
  }
}

/// No pod of the target ran in time.
struct NoPod: UserFacingError, Hashable {
  /// How long one was waited for.
  var limit: Duration

  var message: ErrorMessage { ErrorMessage("no pod of the target ran within \(DurationText.text(limit))") }
}
