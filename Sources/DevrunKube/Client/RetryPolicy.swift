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
