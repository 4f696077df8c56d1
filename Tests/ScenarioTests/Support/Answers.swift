import DevrunCore
import DevrunKube
import DevrunSystem
import Synchronization
import TestSupport

/// What the client in the cluster gets from the app, in order: the lines of its log.
final class Answers: Sendable {
  private struct Waiter {
    var start: Int
    var isMet: @Sendable ([String]) -> Bool
    let met = Latch<Void>()
  }

  private struct State {
    var lines: [String] = []
    var waiters: [Int: Waiter] = [:]
    var nextWaiter = 0
    /// Why the log is read no more.
    var failure: (any Error)?
  }

  private let state = Mutex(State())

  /// How many there are so far.
  var count: Int { state.withLock { $0.lines.count } }

  /// Those from one on.
  func since(_ start: Int) -> [String] { state.withLock { Array($0.lines.dropFirst(start)) } }

  /// Those from one on that are none of the given ones.
  func since(_ start: Int, otherThan expected: String...) -> [String] {
    since(start).filter { !expected.contains($0) }
  }

  /// Reads the log while something is done.
  func following(_ stage: Stage, _ body: () async throws -> Void) async throws {
    let pods = try await stage.client.list(.pods(in: stage.namespace), labelSelector: "app=asker").items
    guard let pod = pods.first?.name else { throw TestFailure("there is no client in \(stage.namespace)") }
    let reader = Task { [client = stage.client, namespace = stage.namespace] in
      do {
        try await read(client, namespace, pod)
      } catch {
        // All that waits fails.
        let waiters = state.withLock { state in
          state.failure = error
          return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.met.set(()) }
      }
    }
    do {
      try await body()
    } catch {
      reader.cancel()
      _ = await reader.result
      throw error
    }
    reader.cancel()
    _ = await reader.result
  }

  private func read(_ client: KubeClient, _ namespace: String, _ pod: String) async throws {
    var last: String?
    while !Task.isCancelled {
      for try await line in try await client.followLog(
        namespace: namespace, pod: pod, container: "asker", since: last)
      {
        // Lines of the second at which it begins anew have been read.
        if let last, line.time <= last { continue }
        last = line.time
        append(line.text)
      }
    }
  }

  /// Waits until so many answers in a row are the same one. A service that still passes some connections on to others
  /// gives none.
  ///
  /// - Returns: all answers from the start of the wait on.
  @discardableResult
  func wait(
    for text: String, inARow count: Int = 8, within limit: Duration = .seconds(60), fileID: String = #fileID,
    line: Int = #line
  ) async throws -> [String] {
    try await wait("\(count) times \"\(text)\" in a row", within: limit, fileID, line) { lines in
      lines.count >= count && lines.suffix(count).allSatisfy { $0 == text }
    }
  }

  /// Waits until the client has got no answer.
  func waitForFailure(within limit: Duration = .seconds(60), fileID: String = #fileID, line: Int = #line) async throws {
    try await wait("a failure", within: limit, fileID, line) { $0.last == "no answer" }
  }

  @discardableResult
  private func wait(
    _ what: String, within limit: Duration, _ fileID: String, _ line: Int,
    _ isMet: @escaping @Sendable ([String]) -> Bool
  ) async throws -> [String] {
    let start = self.count
    let waiter = Waiter(start: start, isMet: isMet)
    let number = state.withLock { state in
      state.nextWaiter += 1
      state.waiters[state.nextWaiter] = waiter
      return state.nextWaiter
    }
    if state.withLock({ $0.failure != nil }) { waiter.met.set(()) }
    let met: Void? = await waiter.met.wait(for: limit)
    state.withLock { _ = $0.waiters.removeValue(forKey: number) }
    try Task.checkCancellation()
    let answers = since(start)
    if let failure = state.withLock({ $0.failure }) {
      throw TestFailure("the client's log cannot be read (\(fileID):\(line)): \(failure)")
    }
    guard met != nil else {
      throw TestFailure("not \(what) within \(limit) (\(fileID):\(line)): \(answers.suffix(20))")
    }
    return answers
  }

  private func append(_ line: String) {
    let met = state.withLock { state in
      state.lines.append(line)
      return state.waiters.values.filter { $0.isMet(Array(state.lines.dropFirst($0.start))) }
    }
    for waiter in met { waiter.met.set(()) }
  }
}
