internal import DevrunCore
internal import DevrunKube

/// What is to be undone at the end, the last done first. Each step runs whatever became of the others.
actor Teardown {
  private let reporter: any Reporter
  private var steps: [(name: String, action: @Sendable () async throws -> Void)] = []

  /// - Parameter reporter: who gets the news of work in the background that fails.
  init(reporter: any Reporter) { self.reporter = reporter }

  /// Registers how something is undone: before it is done, so that no moment is uncovered.
  func add(_ name: String, _ action: @escaping @Sendable () async throws -> Void) {
    steps.append((name, action))
  }

  /// Starts work that goes on until the session ends, and is ended then. Its failure ends nothing, and is reported.
  ///
  /// - Parameters:
  ///   - name: what the work does.
  ///   - failure: what its failure means; by default that it failed.
  func inBackground(_ name: String, failure: String? = nil, _ work: @escaping @Sendable () async throws -> Void) {
    let task = Task { [reporter] in
      do {
        try await work()
      } catch {
        if !Task.isCancelled {
          reporter.report(.warning(ErrorMessage(failure ?? "\(name) failed", why: "\(error)")))
        }
      }
    }
    add(name) {
      task.cancel()
      await task.value
    }
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

extension Reporter {
  /// Repeats an operation while the API server is away, and reports each retry: what was changed is to be put back, also
  /// when the API server restarts at that moment.
  ///
  /// - Throws: as `RetryPolicy.retryingTransientFailures`
  func reportingRetries<Value: Sendable>(
    of operation: @Sendable () async throws -> Value
  ) async throws -> Value {
    try await RetryPolicy.retryingTransientFailures(
      onRetry: { error in
        report(.step("waiting for the API server"))
        report(.detail("\(error)"))
      }, operation)
  }
}
