import DevrunCore
import DevrunPlan
import Glibc

/// How long callers that asked not to wait are kept waiting for a far end.
///
/// Such a caller is an event loop, which serves nobody meanwhile. So what counts is the sum of its waits, not each of them. A
/// destination that did not answer in time is not waited for again for a while. The waits of one thread have a bound
/// together; those in vain count more than those that were answered.
struct WaitBudget {
  /// What a thread may be kept waiting in total, for as long as it is remembered.
  static let total: Duration = .seconds(1)
  /// How long a thread may be kept waiting for one destination.
  static let longest: Duration = total / 5
  /// How long a wait is remembered.
  static let memory: Duration = .seconds(10)
  /// How many times a wait in vain counts.
  private static let weight = 4
  private static let capacity = 1024

  /// The destinations that did not answer in time, with when they are waited for again.
  private var silent: [IPEndpoint: ContinuousClock.Instant] = [:]
  /// What threads have waited, with when that is forgotten.
  private var spent: [pid_t: (time: Duration, end: ContinuousClock.Instant)] = [:]

  /// How long a thread may be kept waiting for a destination now.
  func patience(of thread: pid_t, for destination: IPEndpoint, at now: ContinuousClock.Instant) -> Duration {
    if let end = silent[destination], end > now { return .zero }
    var left = Self.total
    if let spent = spent[thread], spent.end > now { left -= spent.time }
    // Something stays for the next destination, also after a wait in vain.
    return max(left / 5, .zero)
  }

  /// A thread has waited for a destination.
  ///
  /// - Parameter inVain: whether the destination has not answered in time.
  mutating func spend(
    _ time: Duration, inVain: Bool, of thread: pid_t, on destination: IPEndpoint, at now: ContinuousClock.Instant
  ) {
    if silent.count >= Self.capacity { silent = silent.filter { $0.value > now } }
    if spent.count >= Self.capacity { spent = spent.filter { $0.value.end > now } }
    if silent.count >= Self.capacity { silent = [:] }
    if spent.count >= Self.capacity { spent = [:] }
    if inVain { silent[destination] = now + Self.memory }
    let cost = inVain ? time * Self.weight : time
    if let before = spent[thread], before.end > now {
      spent[thread] = (before.time + cost, before.end)
    } else {
      spent[thread] = (cost, now + Self.memory)
    }
  }

  /// A destination has answered in time: it is waited for again.
  mutating func restore(_ destination: IPEndpoint) { silent[destination] = nil }
}
