internal import DevrunKube

/// Follows the pods of a workload, for whoever needs one of them.
actor TargetPods {
  private var selection = PodSelection()
  private var listeners: [Int: AsyncStream<Void>.Continuation] = [:]
  private var next = 0

  /// Applies the events of a watch until it ends or the task is cancelled.
  ///
  /// - Throws: what the watch throws.
  func follow(_ events: any AsyncSequence<WatchEvent, any Error> & Sendable) async throws {
    for try await event in events {
      selection.apply(event)
      for listener in listeners.values { listener.yield() }
    }
  }

  /// The pod that stands for all. Waits while there is none.
  ///
  /// - Parameter failed: the pods that were of no use, by uid.
  /// - Throws: `CancellationError`
  func pod(besides failed: Set<String>) async throws -> PodSelection.Candidate {
    for await _ in changes() {
      if let pod = selection.choose(besides: failed) { return pod }
    }
    throw CancellationError()
  }

  /// The pod that stands for all; `nil` if there is none now.
  ///
  /// - Parameter failed: the pods that were of no use, by uid.
  func podNow(besides failed: Set<String>) -> PodSelection.Candidate? { selection.choose(besides: failed) }

  /// An element now, and after each change. Ends when its consumer is cancelled.
  private func changes() -> AsyncStream<Void> {
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    next += 1
    let number = next
    listeners[number] = continuation
    continuation.onTermination = { [weak self] _ in
      Task { await self?.forget(number) }
    }
    continuation.yield()
    return stream
  }

  private func forget(_ number: Int) { listeners[number] = nil }
}
