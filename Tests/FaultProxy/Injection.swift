internal import DevrunSystem
internal import Synchronization
internal import TestSupport

/// A fault that was injected: counts how often it occurred, and can be lifted.
public final class Injection: Sendable {
  private struct State {
    var remaining: Int?
    var hits = 0
    var isLifted = false
    var latches: [Int: Latch<ProxiedRequest>] = [:]
  }

  let fault: Fault
  let pattern: RequestPattern
  private let state: Mutex<State>
  private let onLift: @Sendable () -> Void

  init(_ fault: Fault, _ pattern: RequestPattern, _ occurrence: Occurrence, onLift: @escaping @Sendable () -> Void) {
    self.fault = fault
    self.pattern = pattern
    self.onLift = onLift
    state = Mutex(State(remaining: occurrence.count))
  }

  /// How often the fault has occurred.
  public var hits: Int { state.withLock(\.hits) }

  /// Whether the fault may occur again.
  var isActive: Bool { state.withLock { !$0.isLifted && $0.remaining != 0 } }

  /// Waits until the fault has occurred.
  ///
  /// - Parameters:
  ///   - number: how often.
  ///   - limit: how long to wait.
  /// - Returns: the request that it was.
  /// - Throws: `TestFailure` if the fault has not occurred in time.
  @discardableResult
  public func hit(
    _ number: Int = 1, within limit: Duration = .seconds(60), fileID: String = #fileID, line: Int = #line
  ) async throws -> ProxiedRequest {
    let latch = state.withLock { state in self.latch(number, &state) }
    if let request = await latch.wait(for: limit) { return request }
    try Task.checkCancellation()
    throw TestFailure(
      "\(fault) at '\(pattern)' has occurred \(hits) times and not \(number) after \(limit) (\(fileID):\(line))")
  }

  /// Ends the fault. What it held goes on its way.
  public func lift() {
    state.withLock { $0.isLifted = true }
    onLift()
  }

  /// Counts an occurrence, if the fault may occur.
  ///
  /// - Returns: whether it is to occur.
  func take(_ request: ProxiedRequest) -> Bool {
    let latch: Latch<ProxiedRequest>? = state.withLock { state in
      guard !state.isLifted, state.remaining != 0 else { return nil }
      state.remaining = state.remaining.map { $0 - 1 }
      state.hits += 1
      return self.latch(state.hits, &state)
    }
    latch?.set(request)
    return latch != nil
  }

  private func latch(_ number: Int, _ state: inout State) -> Latch<ProxiedRequest> {
    if let known = state.latches[number] { return known }
    let new = Latch<ProxiedRequest>()
    state.latches[number] = new
    return new
  }
}
