/// The waits between attempts: each is twice as long as the one before, up to a limit.
public struct Backoff: Sendable {
  /// The first wait.
  public var first: Duration
  /// The longest wait.
  public var limit: Duration
  private var attempts = 0

  /// Waits from the first one on.
  public init(first: Duration = .milliseconds(25), limit: Duration = .seconds(1)) {
    self.first = first
    self.limit = limit
  }

  /// How long to wait after a number of attempts. Up to half of that is left to chance (`jitter`, 0 to 1), so that many
  /// clients do not come back together.
  public func duration(after attempts: Int, jitter: Double = 0) -> Duration {
    let doubled = first * (1 << min(max(attempts - 1, 0), 16))
    return min(doubled, limit) * (1 - jitter / 2)
  }

  /// Waits, and makes the next wait longer. Returns early if the task is cancelled.
  ///
  /// - Parameter minimum: the shortest wait, such as what the server asked for; `limit` does not bound it.
  public mutating func pause(atLeast minimum: Duration = .zero) async {
    attempts += 1
    do {
      try await Task.sleep(for: max(minimum, duration(after: attempts, jitter: .random(in: 0...1))))
    } catch {
      return  // Cancelled: the caller looks.
    }
  }
}
