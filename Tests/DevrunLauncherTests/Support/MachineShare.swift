import Synchronization
import Testing

/// Lets a few tests at a time use the machine.
///
/// Each test starts processes by the dozen, and all tests are started at once. Where hundreds of processes share two
/// cores, what is meant to be prompt is not, and a test tells of the load instead of devrun.
struct MachineShare: SuiteTrait, TestTrait, TestScoping {
  var isRecursive: Bool { true }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    // A suite as a whole does nothing by itself.
    guard testCase != nil else { return try await function() }
    await Self.places.take()
    defer { Self.places.giveBack() }
    try await function()
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
  /// The tests of the suite start processes.
  static var sharingTheMachine: Self { MachineShare() }
}
