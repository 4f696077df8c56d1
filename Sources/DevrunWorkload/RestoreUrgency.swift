internal import Synchronization

/// Set when the user sends another signal during the restore. From then on, every wait that is not essential is skipped.
package final class RestoreUrgency: Sendable {
  private enum State {
    case patient(cancellations: [Int: @Sendable () -> Void], next: Int)
    case urgent
  }

  private let state = Mutex(State.patient(cancellations: [:], next: 0))

  /// A restore that waits for what it should.
  package init() {}

  /// Ends the waits that are under way, and skips those to come.
  package func skipWaits() {
    let cancellations = state.withLock { state in
      guard case .patient(let cancellations, _) = state else { return [Int: @Sendable () -> Void]() }
      state = .urgent
      return cancellations
    }
    for cancel in cancellations.values { cancel() }
  }

  /// Does work that can be left out. It is cancelled as soon as waits are skipped.
  ///
  /// - Returns: whether the work was done to its end.
  /// - Throws: what the work throws.
  package func unlessSkipped(_ work: @escaping @Sendable () async throws -> Void) async throws -> Bool {
    let task = Task(operation: work)
    guard let number = register(task.cancel) else {
      task.cancel()
      _ = await task.result
      return false
    }
    defer { unregister(number) }
    do {
      try await withTaskCancellationHandler {
        try await task.value
      } onCancel: {
        task.cancel()
      }
      return true
    } catch  where isUrgent && !Task.isCancelled {
      return false
    }
  }

  /// Does work that can be left out, for a bounded time. It is cancelled as soon as waits are skipped or time is up.
  ///
  /// - Returns: whether the work was done to its end.
  /// - Throws: what the work throws.
  package func unlessSkipped(
    within limit: Duration, _ work: @escaping @Sendable () async throws -> Void
  ) async throws -> Bool {
    let isInTime = Latched()
    let isPatient = try await unlessSkipped {
      try await withThrowingTaskGroup(of: Bool.self) { group in
        group.addTask {
          try await work()
          return true
        }
        group.addTask {
          try await Task.sleep(for: limit)
          return false
        }
        defer { group.cancelAll() }
        if try await group.next() == true { isInTime.set() }
      }
    }
    return isPatient && isInTime.isSet
  }

  /// A flag that is set once.
  private final class Latched: Sendable {
    private let value = Mutex(false)
    var isSet: Bool { value.withLock { $0 } }
    func set() { value.withLock { $0 = true } }
  }

  private var isUrgent: Bool {
    state.withLock { if case .urgent = $0 { true } else { false } }
  }

  /// The number of a registration; `nil` if waits are skipped already.
  private func register(_ cancel: @escaping @Sendable () -> Void) -> Int? {
    state.withLock { state in
      guard case .patient(var cancellations, let next) = state else { return nil }
      cancellations[next] = cancel
      state = .patient(cancellations: cancellations, next: next + 1)
      return next
    }
  }

  private func unregister(_ number: Int) {
    state.withLock { state in
      guard case .patient(var cancellations, let next) = state else { return }
      cancellations[number] = nil
      state = .patient(cancellations: cancellations, next: next)
    }
  }
}
