internal import Synchronization

/// A value that is set once and that any number of tasks wait for.
///
/// The bridge from threads that wait in system calls to tasks: setting it never blocks.
public final class Latch<Value: Sendable>: Sendable {
  private struct State {
    var value: Value?
    var waiters: [Int: CheckedContinuation<Value?, Never>] = [:]
    var nextWaiter = 0
    var patientWaiters: [CheckedContinuation<Value, Never>] = []
  }

  private let state = Mutex(State())

  /// A latch that is not set.
  public init() {}

  /// The value, if it has been set.
  public var value: Value? { state.withLock { $0.value } }

  /// Sets the value. Later settings change nothing.
  public func set(_ value: Value) {
    let (waiters, patientWaiters) = state.withLock { state in
      guard state.value == nil else { return (State().waiters, State().patientWaiters) }
      defer { state = State(value: value) }
      return (state.waiters, state.patientWaiters)
    }
    for waiter in waiters.values { waiter.resume(returning: value) }
    for waiter in patientWaiters { waiter.resume(returning: value) }
  }

  /// Waits for the value. `nil` if this task was cancelled before there was one.
  public func wait() async -> Value? {
    let number = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    return await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        let ready: Value?? = state.withLock { state in
          if let value = state.value { return .some(value) }
          if Task.isCancelled { return .some(nil) }
          state.waiters[number] = continuation
          return nil
        }
        if let ready { continuation.resume(returning: ready) }
      }
    } onCancel: {
      state.withLock { $0.waiters.removeValue(forKey: number) }?.resume(returning: nil)
    }
  }

  /// Waits for the value, also when this task is cancelled: for what is sure to come soon.
  public func uncancelledValue() async -> Value {
    await withCheckedContinuation { continuation in
      let ready: Value? = state.withLock { state in
        if state.value == nil { state.patientWaiters.append(continuation) }
        return state.value
      }
      if let ready { continuation.resume(returning: ready) }
    }
  }

  /// Waits for the value for a bounded time. `nil` if there was none in time, or this task was cancelled.
  public func wait(for duration: Duration) async -> Value? {
    if let value { return value }
    return await withTaskGroup(of: Value?.self) { group in
      group.addTask { await self.wait() }
      group.addTask {
        // Cancelled when the value came first.
        try? await Task.sleep(for: duration)
        return nil
      }
      let first = await group.next()
      group.cancelAll()
      return first ?? nil
    }
  }
}
