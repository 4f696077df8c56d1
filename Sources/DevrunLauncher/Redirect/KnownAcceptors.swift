import DevrunCore

/// The listeners of the session that sockets were connected to lately, by the destinations that they stand for.
///
/// With it the receiving thread can connect a socket as soon as it has received the call, without waiting for anything.
struct KnownAcceptors {
  private static let capacity = 4096

  private var acceptors: [IPEndpoint: IPEndpoint] = [:]

  /// Where a socket to the destination was connected to.
  func acceptor(for destination: IPEndpoint) -> IPEndpoint? { acceptors[destination] }

  /// Remembers a listener that has taken a connection.
  mutating func remember(_ acceptor: IPEndpoint, for destination: IPEndpoint) {
    if acceptors.count >= Self.capacity, acceptors[destination] == nil { acceptors = [:] }
    acceptors[destination] = acceptor
  }

  /// Forgets a listener that has not taken one at once.
  mutating func forget(_ destination: IPEndpoint) { acceptors[destination] = nil }
}
