internal import NIOCore

/// Counts the connections that are joined to streams, so that the agent can wait for the last. On one event loop only.
final class OpenConnections {
  private var count = 0
  private var waiting: [EventLoopPromise<Void>] = []

  /// How many there are.
  var current: Int { count }

  /// Counts a connection until it closes.
  func add(_ connection: any Channel) {
    count += 1
    let bound = NIOLoopBound(self, eventLoop: connection.eventLoop)
    connection.closeFuture.whenComplete { _ in bound.value.removeOne() }
  }

  private func removeOne() {
    count -= 1
    guard count == 0 else { return }
    for promise in waiting { promise.succeed() }
    waiting = []
  }

  /// Succeeds when none is left, or when the time is over.
  func drained(within time: TimeAmount, on eventLoop: any EventLoop) -> EventLoopFuture<Void> {
    guard count > 0 else { return eventLoop.makeSucceededVoidFuture() }
    let promise = eventLoop.makePromise(of: Void.self)
    waiting.append(promise)
    let deadline = eventLoop.scheduleTask(in: time) { promise.succeed() }
    promise.futureResult.whenComplete { _ in deadline.cancel() }
    return promise.futureResult
  }
}
