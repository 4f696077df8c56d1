/// The connects that were lately answered with success.
///
/// A signal that comes between the answer and the caller's waking makes the kernel drop the answer and repeat the call,
/// on kernels before 5.19 always, on those up to 6.17 rarely. The repeated call finds a connected socket and would fail with
/// EISCONN, though the program never saw the first one succeed. So a repetition gets the same answer again.
struct AnswerMemory {
  /// How long a program may take from a signal to the repetition of its call; it runs a handler in between. A program
  /// that connects a connected socket again so soon is told of success, too, instead of EISCONN.
  static let lifetime: Duration = .seconds(5)
  private static let capacity = 1024

  private var times: [TrappedConnect.Key: ContinuousClock.Instant] = [:]

  /// Remembers a success.
  mutating func remember(_ key: TrappedConnect.Key, at now: ContinuousClock.Instant) {
    if times.count >= Self.capacity { times = times.filter { $0.value + Self.lifetime > now } }
    if times.count >= Self.capacity { times = [:] }
    times[key] = now
  }

  /// Whether the call was answered with success shortly before.
  func recalls(_ key: TrappedConnect.Key, at now: ContinuousClock.Instant) -> Bool {
    times[key].map { $0 + Self.lifetime > now } ?? false
  }
}
