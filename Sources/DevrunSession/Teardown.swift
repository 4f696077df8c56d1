internal import DevrunCore
internal import DevrunKube

/// What is to be undone at the end, the last done first. Each step runs whatever became of the others.
actor Teardown {
  private var steps: [(name: String, action: @Sendable () async throws -> Void)] = []

  /// Registers how something is undone: before it is done, so that no moment is uncovered.
  func add(_ name: String, _ action: @escaping @Sendable () async throws -> Void) {
    steps.append((name, action))
  }

  /// Undoes everything.
  ///
  /// - Returns: what could not be undone, in words.
  func run() async -> [String] {
    var failures: [String] = []
    while let step = steps.popLast() {
      do {
        try await step.action()
      } catch {
        failures.append("\(step.name): \(error)")
      }
    }
    return failures
  }
}

extension SessionObserver {
  /// Repeats an operation while the API server is away, and reports each retry: what was changed is to be put back, also
  /// when the API server restarts at that moment.
  ///
  /// - Throws: as `RetryPolicy.retryingTransientFailures`
  func reportingRetries<Value: Sendable>(
    of operation: @Sendable () async throws -> Value
  ) async throws -> Value {
    try await RetryPolicy.retryingTransientFailures(
      onRetry: { error in
        tell(.step("waiting for the API server"))
        tell(.detail("\(error)"))
      }, operation)
  }
}
