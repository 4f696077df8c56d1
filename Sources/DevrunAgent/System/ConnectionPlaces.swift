internal import NIOCore

/// A bounded number of places for connections of strangers: the newest takes the place of the oldest. On one event
/// loop.
struct ConnectionPlaces: Sendable {
  private let maximum: Int
  private let taken: NIOLoopBoundBox<[any Channel]>

  /// So many places.
  init(_ maximum: Int, on eventLoop: any EventLoop) {
    self.maximum = maximum
    taken = .makeBoxSendingValue([], eventLoop: eventLoop)
  }

  /// Gives a connection a place until it closes.
  func take(_ channel: any Channel) {
    taken.value.append(channel)
    if taken.value.count > maximum { taken.value.removeFirst().close(promise: nil) }
    channel.closeFuture.whenComplete { [weak channel] _ in channel.map(leave) }
  }

  /// Frees the place of a connection that is no stranger's any more.
  func leave(_ channel: any Channel) { taken.value.removeAll { $0 === channel } }
}
