internal import DevrunCore
internal import DevrunKube

/// What a session has started: stopped in reverse, each part whatever became of the others.
///
/// How a part is stopped is registered before it is started, so that no moment is uncovered.
actor Services {
  private let reporter: any Reporter
  private var stops: [(name: String, isNeededByRest: Bool, action: @Sendable () async throws -> Void)] = []

  /// - Parameter reporter: who gets the news of work in the background that fails.
  init(reporter: any Reporter) { self.reporter = reporter }

  /// Starts a part of the session.
  ///
  /// - Parameters:
  ///   - stopping: what stopping it does, for messages: "deleting pod/x".
  ///   - isNeededByRest: whether the part stays if something that was started later could not be stopped: that needs it.
  ///   - stop: stops it. Also called if it was started in part only.
  ///   - start: starts it.
  /// - Throws: what `start` throws.
  nonisolated func start<Value: Sendable>(
    _ stopping: String, isNeededByRest: Bool = false, stop: @escaping @Sendable () async throws -> Void,
    _ start: () async throws -> Value
  ) async throws -> Value {
    await register(stopping, isNeededByRest, stop)
    return try await start()
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
    register(name, false) {
      task.cancel()
      await task.value
    }
  }

  /// Has something done when the session stops.
  func onStop(_ name: String, _ stop: @escaping @Sendable () async throws -> Void) {
    register(name, false, stop)
  }

  private func register(
    _ name: String, _ isNeededByRest: Bool, _ stop: @escaping @Sendable () async throws -> Void
  ) {
    stops.append((name, isNeededByRest, stop))
  }

  /// Stops everything.
  ///
  /// - Returns: what could not be stopped, in words.
  func stop() async -> [String] {
    var failures: [String] = []
    while let stop = stops.popLast() {
      if stop.isNeededByRest, !failures.isEmpty { continue }
      do {
        try await stop.action()
      } catch {
        failures.append("\(stop.name): \(error)")
      }
    }
    return failures
  }
}

/// Does work with parts that are started in order, and stops them in reverse when it is over, whatever became of it.
///
/// - Parameters:
///   - reporter: who gets the news of work in the background that fails.
///   - stopping: called when the stopping begins.
///   - remedy: what finishes what could not be stopped.
///   - work: starts the parts, and works with them.
/// - Throws: what `work` throws; `SessionError.notRestored` if something could not be stopped.
func withServices<Value: Sendable>(
  reporter: any Reporter, stopping: @Sendable () async -> Void, remedy: () -> String,
  _ work: (Services) async throws -> Value
) async throws -> Value {
  let services = Services(reporter: reporter)
  let outcome: Result<Value, any Error>
  do {
    outcome = .success(try await work(services))
  } catch {
    outcome = .failure(error)
  }
  await stopping()
  let failures = await withoutCancellation { await services.stop() }
  guard !failures.isEmpty else { return try outcome.get() }
  let lost = SessionError.notRestored(failures, remedy: remedy())
  if case .failure(let error) = outcome { throw ConnectAndRestoreError(cause: error, restoring: lost) }
  throw lost
}
