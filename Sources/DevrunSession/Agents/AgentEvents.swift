internal import Synchronization

/// What happens to a session's pods. Any number of tasks may listen; each hears all, from the beginning.
final class AgentEvents: Sendable {
  /// Something that happened.
  enum Event: Sendable {
    /// A tunnel to this pod is up.
    case attached(pod: String)
    /// A pod will not come up.
    case failed(SessionError)
    /// The pods cannot be followed any more.
    case lost(any Error)
  }

  private struct State {
    var past: [Event] = []
    var listeners: [Int: AsyncStream<Event>.Continuation] = [:]
    var next = 0
    var isOver = false
  }

  private let state = Mutex(State())

  func tell(_ event: Event) {
    let listeners = state.withLock { state in
      state.past.append(event)
      return Array(state.listeners.values)
    }
    // Not under the lock: to yield takes a lock of the consuming task, which is held where that task is cancelled and
    // `onTermination` waits for this one.
    for listener in listeners { listener.yield(event) }
  }

  /// Nothing more will happen.
  func finish() {
    let listeners = state.withLock { state in
      state.isOver = true
      defer { state.listeners = [:] }
      return Array(state.listeners.values)
    }
    for listener in listeners { listener.finish() }
  }

  /// All events, those of the past first. It ends when nothing more will happen, or its task is cancelled.
  func stream() -> AsyncStream<Event> {
    AsyncStream { continuation in
      let number = state.withLock { state in
        for event in state.past { continuation.yield(event) }
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
