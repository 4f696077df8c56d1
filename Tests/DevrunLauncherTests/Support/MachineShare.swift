import Synchronization
import Testing

/// Lets a few tests at a time use the machine, each for a bounded time.
///
/// Each test starts processes by the dozen, and all tests are started at once. Where hundreds of processes share two
/// cores, what is meant to be prompt is not, and a test tells of the load instead of devrun. The time that a test waits
/// for its turn is not its own, so the limit is no `.timeLimit`, which would count it.
struct MachineShare: SuiteTrait, TestTrait, TestScoping {
  /// How long a test may take. On two cores most take a few seconds.
  var limit: Duration

  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    // A suite as a whole does nothing by itself.
    guard testCase != nil else { return try await function() }
    await Self.places.take()
    defer { Self.places.giveBack() }
    try await withoutActuallyEscaping(function) { function in
      try await withThrowingTaskGroup { group in
        group.addTask { try await function() }
        group.addTask {
          try await Task.sleep(for: limit)
          Issue.record("the test has taken longer than \(limit)", sourceLocation: test.sourceLocation)
        }
        // Whichever comes first; the waits of the test end when it is cancelled.
        try await group.next()
        group.cancelAll()
      }
    }
  }

  private static let places = Places(count: 8)

  /// A counting semaphore for tasks.
  private final class Places: Sendable {
    private let state: Mutex<(free: Int, waiters: [CheckedContinuation<Void, Never>])>

    init(count: Int) { state = Mutex((count, [])) }

    func take() async {
      await withCheckedContinuation { continuation in
        let isFree = state.withLock { state in
          guard state.free > 0 else {
            state.waiters.append(continuation)
            return false
          }
          state.free -= 1
          return true
        }
        if isFree { continuation.resume() }
      }
    }

    func giveBack() {
      let next = state.withLock { state -> CheckedContinuation<Void, Never>? in
        if state.waiters.isEmpty { state.free += 1 }
        return state.waiters.isEmpty ? nil : state.waiters.removeFirst()
      }
      next?.resume()
    }
  }
}

extension Trait where Self == MachineShare {
  /// The tests of the suite start processes, and each may take so long once it has its turn.
  static func sharingTheMachine(for limit: Duration = .seconds(180)) -> Self { MachineShare(limit: limit) }

  /// The tests of the suite start processes.
  static var sharingTheMachine: Self { .sharingTheMachine() }
}
