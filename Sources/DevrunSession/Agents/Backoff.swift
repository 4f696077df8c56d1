/// The pauses between attempts: short at first, never long.
struct Backoff {
  private var milliseconds = 25
  private let limit: Duration

  /// - Parameter limit: the longest pause.
  init(limit: Duration = .seconds(1)) { self.limit = limit }

  /// Waits, and makes the next wait longer. Returns early when the task is cancelled.
  mutating func pause() async {
    let duration = Duration.milliseconds(milliseconds)
    if duration * 2 < limit { milliseconds *= 2 } else { milliseconds = Int(limit / .milliseconds(1)) }
    do {
      try await Task.sleep(for: duration)
    } catch {
      return  // Cancelled: the caller looks.
    }
  }
}
