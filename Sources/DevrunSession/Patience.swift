internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload
internal import Synchronization

/// How long failures that pass are endured, together for all operations that share it: the API server restarts, a VPN is
/// away, credentials are renewed.
///
/// It begins with the first of several failures in a row, and anew after each success. Where the server asks for a longer
/// wait, the next attempt comes no earlier.
final class Patience: Sendable {
  /// What the end of a session has, for all that is to be put back.
  static let ofTheEnd = Duration.seconds(120)

  private let limit: Duration
  private let reporter: any Reporter
  private let urgency: RestoreUrgency
  private let passes: @Sendable (KubeError) -> Bool
  private let firstFailure = Mutex<ContinuousClock.Instant?>(nil)

  /// - Parameters:
  ///   - limit: how long failures in a row are endured.
  ///   - reporter: who gets the news of it.
  ///   - urgency: once waits are skipped, no failure is endured.
  ///   - passes: whether a failure passes.
  init(
    limit: Duration, reporter: any Reporter, urgency: RestoreUrgency,
    passes: @escaping @Sendable (KubeError) -> Bool = { $0.mayPass }
  ) {
    self.limit = limit
    self.reporter = reporter
    self.urgency = urgency
    self.passes = passes
  }

  /// What the start of a session's own pod has. Credentials were accepted before it, so that they may be again. A right
  /// that is missing is for the user to ask for: that is not waited for.
  static func ofTheStart(_ context: SessionContext) -> Patience {
    Patience(limit: context.startTimeout, reporter: context.reporter, urgency: context.urgency) { error in
      if case .unauthorized = error { true } else { error.isTransient }
    }
  }

  /// What the first look at the cluster has. A server that was reached and is busy, or fails, is asked again. One that
  /// cannot be reached may be the wrong one: the user reads that at once.
  static func ofTheFirstLook(_ context: SessionContext) -> Patience {
    Patience(limit: context.startTimeout, reporter: context.reporter, urgency: context.urgency) { error in
      error.status != nil && error.isTransient
    }
  }

  /// Repeats an operation while it fails with errors that pass. What it waits for is reported, each reason once.
  ///
  /// - Parameter operation: what is done, such that it can be done again.
  /// - Throws: what the operation throws, once that does not pass or the patience is over; `CancellationError`
  func persist<Value: Sendable>(_ operation: @Sendable () async throws -> Value) async throws -> Value {
    let backoff = Backoff()
    var attempts = 0
    var told = ""
    while true {
      let start = ContinuousClock.now
      do {
        let value = try await operation()
        firstFailure.withLock { $0 = nil }
        return value
      } catch let error as KubeError where passes(error) {
        try Task.checkCancellation()
        attempts += 1
        guard endures(.now, since: start) else { throw error }
        let words = ErrorMessage(oneLineOf: error).what
        if words != told { reporter.report(.waiting("trying again: \(words)")) }
        told = words
        let pause = max(error.serverDelay, backoff.duration(after: attempts, jitter: .random(in: 0...1)))
        guard try await urgency.unlessSkipped({ try await Task.sleep(for: pause) }) else { throw error }
      }
    }
  }

  /// The same of what undoes something. If others have deleted something of the session and the user lacks the right now,
  /// the namespace is being deleted, and the rights in it went first: nothing is left to undo.
  ///
  /// - Returns: what the operation returns; `nil` if there is nothing to undo any more.
  func persist<Value: Sendable>(
    unless losses: Losses, _ operation: @Sendable () async throws -> Value
  ) async throws -> Value? {
    guard !losses.isEmpty else { return try await persist(operation) }
    do {
      return try await persist {
        do { return try await operation() } catch let error as KubeError where error.isForbidden { throw Gone() }
      }
    } catch is Gone {
      return nil
    }
  }

  private struct Gone: Error {}

  /// Whether a failure at a moment is endured. An attempt that went on for longer than the patience had got somewhere.
  private func endures(_ now: ContinuousClock.Instant, since start: ContinuousClock.Instant) -> Bool {
    firstFailure.withLock { first in
      if first == nil || now - start > limit { first = now }
      return now - (first ?? now) < limit
    }
  }
}
