import Glibc

/// The connects that were lately answered with success.
///
/// A signal that comes between the answer and the caller's waking makes the kernel drop the answer and repeat the call. The
/// repeated call finds a connected socket and would fail with EISCONN, though the program never saw the first one
/// succeed. So a repetition by the same thread gets the same answer again.
struct AnswerMemory {
  /// How long a program may take from a signal to the repetition of its call; it runs a handler in between. A thread
  /// that connects a connected socket again so soon is told of success, too, instead of EISCONN.
  static let lifetime: Duration = .seconds(5)
  private static let capacity = 1024

  private var answers: [TrappedConnect.Key: (thread: pid_t, end: ContinuousClock.Instant)] = [:]

  /// Remembers a success.
  mutating func remember(_ key: TrappedConnect.Key, of thread: pid_t, at now: ContinuousClock.Instant) {
    if answers.count >= Self.capacity { answers = answers.filter { $0.value.end > now } }
    if answers.count >= Self.capacity { answers = [:] }
    answers[key] = (thread, now + Self.lifetime)
  }

  /// Whether the thread's call was answered with success shortly before.
  func recalls(_ key: TrappedConnect.Key, of thread: pid_t, at now: ContinuousClock.Instant) -> Bool {
    answers[key].map { $0.thread == thread && $0.end > now } ?? false
  }
}
