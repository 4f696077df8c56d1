import NIOHTTP1

/// When a request is sent once more, and after how long.
public struct RetryPolicy: Sendable {
  /// How often a request is sent at most.
  var maximumAttempts = 4
  /// The waits that are devrun's own choice.
  var backoff = Backoff(first: .milliseconds(250), limit: .seconds(5))
  /// The longest wait that a server may ask for (`Retry-After`); where it wants more, its answer stands.
  var maximumServerDelay: Duration = .seconds(30)

  /// The longest wait between two attempts of a watch that goes on whatever happens.
  var persistentLimit: Duration = .seconds(60)

  /// What came of an attempt that was not a success.
  enum Outcome: Sendable, Hashable {
    /// A response with an error's status, and the seconds of its `Retry-After` header.
    case status(Int, retryAfter: Int?)
    /// No response.
    case transport(TransportFailure)
  }

  /// How long to wait before the next attempt; `nil` where the outcome stands.
  ///
  /// A server that answers 429, or 503 with a `Retry-After`, has not begun with the request: any may be sent again. A
  /// connection that broke tells nothing of that, so only a request that changes nothing is. What cannot be reached at
  /// all is told at once.
  func delay(method: HTTPMethod, attempt: Int, outcome: Outcome, jitter: Double) -> Duration? {
    guard attempt < maximumAttempts else { return nil }
    switch outcome {
    case .status(429, nil): return backoff.duration(after: attempt, jitter: jitter)
    case .status(429, let seconds?), .status(503, let seconds?):
      let wanted = max(Duration.seconds(seconds), backoff.first)
      return wanted <= maximumServerDelay ? wanted : nil
    case .status: return nil
    case .transport(let failure):
      return failure.isDrop && method == .GET ? backoff.duration(after: attempt, jitter: jitter) : nil
    }
  }

  /// How long a watch waits after a number of attempts that brought nothing.
  ///
  /// - Parameters:
  ///   - retryAfter: the seconds that the server asked for; where it wants too many, they do not count.
  ///   - isPersistent: whether the watch goes on whatever happens, with waits up to `persistentLimit`.
  func watchDelay(attempt: Int, retryAfter: Int?, isPersistent: Bool, jitter: Double) -> Duration {
    var backoff = backoff
    if isPersistent { backoff.limit = persistentLimit }
    let own = backoff.duration(after: attempt, jitter: jitter)
    guard let wanted = retryAfter.map({ Duration.seconds($0) }), wanted <= maximumServerDelay else { return own }
    return max(own, wanted)
  }
}

extension RetryPolicy {
  /// Repeats an operation as long as it fails with errors that pass: the API server restarts, say, or the network is
  /// away for a while.
  ///
  /// Where the server asks for a longer wait (`Retry-After`, up to 30 s), the next attempt waits for that.
  ///
  /// The patience begins with the first of several failures in a row. An attempt that went on for longer than the patience
  /// before it failed begins a new row: it had got somewhere.
  ///
  /// - Parameters:
  ///   - patience: how long the operation is repeated after a failure.
  ///   - backoff: the waits in between.
  ///   - passes: whether an error passes; by default those that are transient.
  ///   - onRetry: is called with each error before the wait.
  ///   - operation: what is done, such that it can be done again.
  /// - Returns: what the operation returns.
  /// - Throws: what the operation throws, unless it is a `KubeError` that passes and there is time left.
  public static func retryingTransientFailures<Value: Sendable>(
    for patience: Duration = .seconds(120), backoff: Backoff = Backoff(),
    passes: @Sendable (KubeError) -> Bool = { $0.isTransient }, onRetry: (KubeError) -> Void,
    _ operation: @Sendable () async throws -> Value
  ) async throws -> Value {
    let clock = ContinuousClock()
    var firstFailure: ContinuousClock.Instant?
    var pauses = backoff
    while true {
      let start = clock.now
      do {
        return try await operation()
      } catch let error as KubeError where passes(error) {
        let now = clock.now
        if firstFailure == nil || now - start > patience {
          firstFailure = now
          pauses = backoff
        }
        guard let firstFailure, now - firstFailure < patience else { throw error }
        onRetry(error)
        await pauses.pause(atLeast: Self.serverDelay(error))
      }
    }
  }

  /// The wait that a server asked for, if it is not too long.
  static func serverDelay(_ error: KubeError) -> Duration {
    let wanted = Duration.seconds(error.status?.details.retryAfterSeconds ?? 0)
    return wanted <= RetryPolicy().maximumServerDelay ? wanted : .zero
  }
}
