/// A bounded number of places for connections of strangers, of which each peer's address has a share. Pure.
///
/// So many connections of one pod keep no other peer away, such as the kubelet.
struct PeerPlaces<Peer: Hashable> {
  /// What becomes of a new connection.
  enum Decision: Hashable {
    /// It has a place.
    case taken
    /// It has the place of this connection, of a peer that has more.
    case instead(of: Int)
    /// There is no place for it.
    case refused
  }

  private struct Place {
    let connection: Int
    let peer: Peer
  }

  private let maximum: Int
  private let share: Int
  private var places: [Place] = []

  /// So many places, and so many of them at most for each peer.
  init(_ maximum: Int, share: Int) {
    self.maximum = maximum
    self.share = share
  }

  /// Asks for a place.
  ///
  /// - Parameter connection: a number that no other connection has.
  mutating func take(_ connection: Int, of peer: Peer) -> Decision {
    let counts = Dictionary(places.map { ($0.peer, 1) }, uniquingKeysWith: +)
    let own = counts[peer] ?? 0
    guard own < share else { return .refused }
    var decision = Decision.taken
    if places.count >= maximum {
      let most = counts.values.max() ?? 0
      guard most > own + 1, let oldest = places.firstIndex(where: { counts[$0.peer] == most }) else { return .refused }
      decision = .instead(of: places.remove(at: oldest).connection)
    }
    places.append(Place(connection: connection, peer: peer))
    return decision
  }

  /// A connection is closed.
  mutating func leave(_ connection: Int) { places.removeAll { $0.connection == connection } }
}
