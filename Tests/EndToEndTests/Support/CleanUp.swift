import Synchronization
import TestSupport
import Testing

/// What must be undone at the end, in reverse order; what cannot be undone is an issue of the suite.
final class CleanUp: Sendable {
  private typealias Step = @Sendable () async throws -> Void
  private let steps = Mutex<[Step]>([])

  /// Adds a step, to be taken before all that were added earlier.
  func add(_ step: @escaping @Sendable () async throws -> Void) {
    steps.withLock { $0.append(step) }
  }

  /// Takes all steps, each one even if others fail.
  func run() async {
    let steps = steps.withLock { steps in
      defer { steps = [] }
      return steps
    }
    for step in steps.reversed() {
      do { try await step() } catch { Issue.record(error, "clean-up failed") }
    }
  }
}
