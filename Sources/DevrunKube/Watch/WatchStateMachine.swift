// What a watch does next: list, then watch from the list's version, resume from the last version seen, list again when
// that is too old. No I/O: the driver asks `next()`, does it, and tells what came of it.

import DevrunCore

/// The states of one watch.
struct WatchStateMachine: Sendable {
  /// What to do next.
  enum Action: Sendable, Hashable {
    /// Read the whole list.
    case list
    /// Open a watch from a version on.
    case watch(resourceVersion: String)
    /// Read the next line of the watch that is open.
    case read
    /// Wait, longer with each attempt, and ask again. The server may have asked for some seconds.
    case backOff(attempt: Int, retryAfter: Int? = nil)
    /// End with an error.
    case fail(KubeError)
  }

  private enum State: Sendable {
    case unlisted
    case listed(version: String)
    case open(version: String)
    case failed(KubeError)
  }

  /// The number of an attempt before which the wait has its greatest length.
  private static let longWait = 10

  /// Whether another attempt follows every failure.
  private let isPersistent: Bool
  private var state = State.unlisted
  private var hasSnapshot = false
  /// Attempts in a row that brought nothing.
  private var fruitless = 0
  private var mustBackOff = false
  private var retryAfter: Int?
  private var trouble = WatchTrouble()
  private var condition: WatchCondition?

  /// A watch that has not begun.
  ///
  /// - Parameter start: the version of a list that the caller has; `nil` if the watch is to list by itself.
  init(isPersistent: Bool = false, start: String? = nil) {
    self.isPersistent = isPersistent
    guard let start else { return }
    state = .listed(version: start)
    hasSnapshot = true
  }

  /// Whether a watch is open whose lines are to be read.
  var isOpen: Bool { if case .open = state { true } else { false } }

  /// What to do next.
  mutating func next() -> Action {
    if case .failed(let error) = state { return .fail(error) }
    if mustBackOff {
      mustBackOff = false
      return .backOff(attempt: fruitless, retryAfter: retryAfter)
    }
    switch state {
    case .unlisted: return .list
    case .listed(let version): return .watch(resourceVersion: version)
    case .open: return .read
    case .failed(let error): return .fail(error)
    }
  }

  /// What is to be reported of the watch's condition, if it is new.
  mutating func takeCondition() -> WatchCondition? {
    defer { condition = nil }
    return condition
  }

  /// The list was read.
  mutating func listed(resourceVersion: String) {
    state = .listed(version: resourceVersion)
    hasSnapshot = true
  }

  /// The watch was accepted.
  mutating func opened() {
    guard case .listed(let version) = state else { return }
    state = .open(version: version)
    condition = trouble.opened() ?? condition
  }

  /// A line came. Gives what is to be told to the watcher, if anything.
  mutating func received(_ line: WatchLine, context: String, words: String) -> WatchEvent? {
    guard case .open = state else { return nil }
    switch line {
    case .event(let event, let version):
      fruitless = 0
      state = .open(version: version)
      return event
    case .bookmark(let version):
      fruitless = 0
      state = .open(version: version)
      return nil
    case .error(let status):
      failed(.status(status, request: words, context: context))
      return nil
    }
  }

  /// The server ended the watch, as it does after some time. `wasLong`: the watch lasted as long as a watch should.
  mutating func ended(wasLong: Bool) {
    guard case .open(let version) = state else { return }
    state = .listed(version: version)
    if wasLong { fruitless = 0 } else { noteFruitless(nil) }
  }

  /// The list or the watch failed, before or in its midst.
  mutating func failed(_ error: KubeError) {
    if error.isGone, hasSnapshot {
      // The version is too old: what happened since is only to be had as a new list.
      state = .unlisted
      noteFruitless(error)
    } else if isPersistent || error.isTransient && hasSnapshot {
      if case .open(let version) = state { state = .listed(version: version) }
      noteFruitless(error)
    } else {
      state = .failed(error)
    }
  }

  /// The first attempt that brings nothing is followed by the next at once, those after it by a wait.
  ///
  /// A credential plugin that fails prints to the user's terminal, and may open a browser: it is not run again at once, and
  /// the wait is the longest.
  private mutating func noteFruitless(_ error: KubeError?) {
    if case .credentials = error { fruitless = max(fruitless + 1, Self.longWait) } else { fruitless += 1 }
    retryAfter = error?.status?.details.retryAfterSeconds
    mustBackOff = fruitless > 1
    if mustBackOff, let error, !error.isGone { condition = trouble.failed(error) ?? condition }
  }
}
