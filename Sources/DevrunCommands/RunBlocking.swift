internal import Dispatch
internal import Synchronization

/// Runs an asynchronous function from the synchronous world of a command, and waits for it.
///
/// - Throws: what the function throws.
func runBlocking<Value: Sendable>(_ body: @escaping @Sendable () async throws -> Value) throws -> Value {
  let run = BlockingRun<Value>()
  Task {
    do {
      run.finish(.success(try await body()))
    } catch {
      run.finish(.failure(error))
    }
  }
  return try run.wait().get()
}

/// An outcome that one thread waits for.
private final class BlockingRun<Value: Sendable>: Sendable {
  private let outcome = Mutex<Result<Value, any Error>?>(nil)
  private let done = DispatchSemaphore(value: 0)

  func finish(_ result: Result<Value, any Error>) {
    outcome.withLock { $0 = result }
    done.signal()
  }

  func wait() -> Result<Value, any Error> {
    while true {
      done.wait()
      if let result = outcome.withLock({ $0 }) { return result }
    }
  }
}
