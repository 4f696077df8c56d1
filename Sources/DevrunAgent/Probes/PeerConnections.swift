internal import NIOCore

/// The connections of strangers that have a place. On one event loop only.
final class PeerConnections {
  private var places: PeerPlaces<String>
  private var channels: [Int: any Channel] = [:]
  private var latest = 0

  /// So many connections, and so many of them at most from each address.
  init(_ maximum: Int, share: Int) { places = PeerPlaces(maximum, share: share) }

  /// Gives a connection a place until it closes, or closes it.
  ///
  /// - Returns: whether it has a place.
  func admit(_ channel: any Channel) -> Bool {
    latest += 1
    let number = latest
    switch places.take(number, of: channel.remoteAddress?.ipAddress ?? "") {
    case .refused:
      channel.close(promise: nil)
      return false
    case .instead(let other): channels.removeValue(forKey: other)?.close(promise: nil)
    case .taken: break
    }
    channels[number] = channel
    let bound = NIOLoopBound(self, eventLoop: channel.eventLoop)
    channel.closeFuture.whenComplete { _ in bound.value.leave(number) }
    return true
  }

  private func leave(_ number: Int) {
    channels[number] = nil
    places.leave(number)
  }
}
