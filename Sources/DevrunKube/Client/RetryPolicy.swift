import NIOHTTP1

/// When a request is sent once more, and after how long.
struct RetryPolicy: Sendable {
  /// How often a request is sent at most.
  var maximumAttempts = 4
  /// How long to wait before the second attempt; doubles with each.
  var firstDelay: Duration = .milliseconds(250)
  /// The longest wait that is devrun's own choice.
  var maximumDelay: Duration = .seconds(5)
  /// The longest wait that a server may ask for (`Retry-After`); where it wants more, its answer stands.
  var maximumServerDelay: Duration = .seconds(30)

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
    case .status(429, nil): return backoff(attempt, jitter: jitter)
    case .status(429, let seconds?), .status(503, let seconds?):
      let wanted = max(Duration.seconds(seconds), firstDelay)
      return wanted <= maximumServerDelay ? wanted : nil
    case .status: return nil
    case .transport(let failure):
      return failure.isDrop && method == .GET ? backoff(attempt, jitter: jitter) : nil
    }
  }

  /// The wait after a number of attempts: doubling, and up to half of it left to chance (`jitter`, 0 to 1), so that
  /// many clients do not come back together.
  func backoff(_ attempt: Int, jitter: Double) -> Duration {
    let doubled = firstDelay * (1 << min(max(attempt - 1, 0), 16))
    return min(doubled, maximumDelay) * (1 - jitter / 2)
  }
}
