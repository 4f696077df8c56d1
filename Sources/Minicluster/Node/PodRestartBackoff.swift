/// How long a container waits for its next run
/// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#restart-policy): not at all the first time, then
/// 10 s, twice as long each time, up to 5 min. After 10 min without a restart it begins anew.
struct RestartBackoff: Sendable {
  /// The first wait.
  static let first = Duration.seconds(10)
  /// The longest wait.
  static let longest = Duration.seconds(300)

  private var next: Duration?
  private var updated = WallTime(seconds: 0)

  /// A container that has not been restarted.
  init() {}

  /// The wait after a run that has ended. `nil`: the next run starts at once.
  mutating func wait(after end: WallTime) -> Duration? {
    defer { updated = end }
    guard let wait = next, updated.distance(to: end) <= Self.longest * 2 else {
      next = Self.first
      return nil
    }
    next = min(wait * 2, Self.longest)
    return wait
  }
}
