internal import Synchronization

/// A sequence of elements that any number of tasks listen to. Each listener gets all elements from the beginning,
/// except those that were taken back.
public final class Broadcast<Element: Sendable>: Sendable {
  private struct State {
    var past: [Element] = []
    var listeners: [Int: AsyncStream<Element>.Continuation] = [:]
    var next = 0
    var isOver = false
  }

  private let state = Mutex(State())

  /// A broadcast without elements.
  public init() {}

  /// Sends an element to all listeners, those of the future too. Never blocks for long.
  public func send(_ element: Element) {
    let listeners = state.withLock { state in
      state.past.append(element)
      return Array(state.listeners.values)
    }
    // Not under the lock: yielding takes a lock of the consuming task, which that task holds when it is cancelled, while
    // its `onTermination` waits for ours.
    for listener in listeners { listener.yield(element) }
  }

  /// Ends the streams of all listeners.
  public func finish() {
    let listeners = state.withLock { state in
      state.isOver = true
      defer { state.listeners = [:] }
      return Array(state.listeners.values)
    }
    for listener in listeners { listener.finish() }
  }

  /// Removes the matching elements from the past: future listeners do not get them.
  ///
  /// - Returns: the removed elements, in their order.
  public func takeBack(where matches: (Element) -> Bool) -> [Element] {
    state.withLock { state in
      let taken = state.past.filter(matches)
      state.past.removeAll(where: matches)
      return taken
    }
  }

  /// All elements, those of the past first. The stream ends with `finish`, or when its consumer is cancelled.
  public func stream() -> AsyncStream<Element> {
    AsyncStream { continuation in
      let number = state.withLock { state in
        for element in state.past { continuation.yield(element) }
        if state.isOver { continuation.finish() }
        state.next += 1
        state.listeners[state.next] = continuation
        return state.next
      }
      continuation.onTermination = { [self] _ in
        state.withLock { _ = $0.listeners.removeValue(forKey: number) }
      }
    }
  }
}
