import Foundation
import Synchronization

/// What a process has written so far, and a way to await what it writes next.
final class Transcript: Sendable {
  private struct Waiter {
    let isSatisfied: @Sendable ([UInt8], _ ended: Bool) -> Bool
    let continuation: CheckedContinuation<Void, any Error>
  }

  private struct State {
    var bytes: [UInt8] = []
    var ended = false
    var waiters: [Int: Waiter] = [:]
    var nextWaiter = 0
  }

  private let state = Mutex(State())

  /// All bytes so far.
  var bytes: [UInt8] { state.withLock { $0.bytes } }

  /// All text so far.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// Takes bytes that were read.
  func append(_ bytes: some Sequence<UInt8>) {
    change { $0.bytes += bytes }
  }

  /// Notes that the last writer has closed its end.
  func end() {
    change { $0.ended = true }
  }

  /// Returns when the text contains `needle`, throws when it ends without.
  ///
  /// - Parameter start: how many bytes at the beginning do not count.
  /// - Returns: how many bytes there are up to the needle's end.
  @discardableResult
  func contains(_ needle: String, after start: Int = 0) async throws -> Int {
    let bytes = Array(needle.utf8)
    try await wait { all, _ in all.dropFirst(start).firstRange(of: bytes) != nil }
    guard let found = self.bytes.dropFirst(start).firstRange(of: bytes) else {
      throw Failure("the output ended without '\(needle)': \(text)")
    }
    return found.upperBound
  }

  /// Returns when every process that could write has closed its end.
  func ended() async throws {
    try await wait { _, _ in false }
  }

  /// Returns when the condition holds or the output has ended.
  private func wait(until condition: @escaping @Sendable ([UInt8], Bool) -> Bool) async throws {
    let id = state.withLock { state in
      state.nextWaiter += 1
      return state.nextWaiter
    }
    try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        state.withLock { $0.waiters[id] = Waiter(isSatisfied: condition, continuation: continuation) }
        change { _ in }
        if Task.isCancelled { cancel(id) }
      }
    } onCancel: {
      cancel(id)
    }
  }

  private func cancel(_ id: Int) {
    state.withLock { $0.waiters.removeValue(forKey: id) }?.continuation.resume(throwing: CancellationError())
  }

  private func change(_ body: (inout State) -> Void) {
    let satisfied = state.withLock { state in
      body(&state)
      let (bytes, ended) = (state.bytes, state.ended)
      let satisfied = state.waiters.filter { ended || $0.value.isSatisfied(bytes, ended) }
      for id in satisfied.keys { state.waiters[id] = nil }
      return satisfied.values.map(\.continuation)
    }
    for continuation in satisfied { continuation.resume() }
  }
}

/// A test's own failure: something that the test needs did not happen.
struct Failure: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
