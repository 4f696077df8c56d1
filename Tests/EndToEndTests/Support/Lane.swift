import Glibc
import TestSupport
import Testing

/// Makes a suite a lane: it has a ``Cluster`` of its own, namespaces and a user of this machine included, and its
/// suites run one after the other beside those of other lanes.
struct LaneTrait: SuiteTrait, TestTrait, TestScoping {
  /// How many pods the lane's `myapp1` has. Each takes its time to be rolled out and to end.
  var replicas: Int

  // To be told of the suites of a lane too; what is recursive must be a trait of tests as well.
  var isRecursive: Bool { true }

  func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { test.isSuite ? self : nil }

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    guard Cluster.current != nil else { return try await provideCluster(function) }
    // Without users of their own, lanes could not tell whose process is left.
    let isAlone = geteuid() != 0 || test.traits.contains { $0 is AloneTrait }
    try await Road.shared.travelling(alone: isAlone, function)
  }

  private func provideCluster(_ function: @Sendable () async throws -> Void) async throws {
    // A test that writes to a process that has ended must be told, not killed.
    signal(SIGPIPE, SIG_IGN)
    let cleanUp = CleanUp()
    do {
      let cluster = try await Road.shared.travelling { try await Cluster(Settings(), replicas: replicas, cleanUp) }
      try await Cluster.$current.withValue(cluster) { try await function() }
      for (id, command) in try cluster.machine.processes() {
        Issue.record("process \(id) is left at the end: \(command)")
        kill(id, SIGKILL)
      }
    } catch {
      await Road.shared.travelling { await cleanUp.run() }
      throw error
    }
    await Road.shared.travelling { await cleanUp.run() }
  }
}

/// Marks a suite that disturbs all others: no other runs meanwhile.
struct AloneTrait: SuiteTrait {}

extension Trait where Self == LaneTrait {
  /// Namespaces on the cluster that KUBECONFIG names, with accounts and workloads, for the time of the suite.
  static func lane(replicas: Int = 1) -> Self { LaneTrait(replicas: replicas) }
}

extension Trait where Self == AloneTrait {
  /// No other suite runs beside this one.
  static var alone: Self { AloneTrait() }
}

/// What the suites of all lanes share: many at once, or one alone. Who waits for being alone waits until nobody else is
/// there, at the latest when all others have ended: else all would wait with it for the longest suite.
actor Road {
  static let shared = Road()

  private var travellers = 0
  private var isTaken = false
  private var queue: [(alone: Bool, continuation: CheckedContinuation<Void, Never>)] = []

  /// Does something beside others, or alone.
  nonisolated func travelling<Value: Sendable>(
    alone: Bool = false, _ body: () async throws -> Value
  ) async rethrows -> Value {
    await enter(alone: alone)
    do {
      let value = try await body()
      await leave(alone: alone)
      return value
    } catch {
      await leave(alone: alone)
      throw error
    }
  }

  private func enter(alone: Bool) async {
    if isFree(for: alone) { return take(alone) }
    await withCheckedContinuation { queue.append((alone, $0)) }
  }

  private func leave(alone: Bool) {
    if alone { isTaken = false } else { travellers -= 1 }
    while let index = queue.firstIndex(where: { isFree(for: $0.alone) }) {
      let next = queue.remove(at: index)
      take(next.alone)
      next.continuation.resume()
    }
  }

  private func isFree(for alone: Bool) -> Bool { !isTaken && (!alone || travellers == 0) }

  private func take(_ alone: Bool) {
    if alone { isTaken = true } else { travellers += 1 }
  }
}
