// The child's connections arrive at a listener here, and nothing in them says where they are meant to go. Whoever
// connected the child's socket announces it: "the socket that is bound to this endpoint belongs to that dial". The
// kernel may hand the connection over before or after the announcement, so each waits for the other, but not for long:
// a connection that nobody announces is some other program's, and an announced one that never comes was given up.

internal import DevrunCore

/// Which socket at which listener.
struct PairingKey: Sendable, Hashable {
  /// The listener's endpoint.
  var acceptor: IPEndpoint
  /// The connecting socket's own endpoint.
  var local: IPEndpoint
}

/// Brings connections and announcements together. Pure: it holds what it is given and hands out pairs.
struct PairingTable<Connection, Announcement> {
  /// A thing that waits, with the number by which its time-out knows it (endpoints are used again).
  private struct Waiting<Value> {
    var value: Value
    var ticket: Int
  }

  private var parked: [PairingKey: Waiting<Connection>] = [:]
  private var announced: [PairingKey: Waiting<Announcement>] = [:]
  private var lastTicket = 0

  /// What becomes of a newcomer.
  enum Outcome<Newcomer, Counterpart> {
    /// Its counterpart was there.
    case paired(Counterpart)
    /// It waits under this ticket. An older one that waited at the same endpoint is obsolete.
    case waits(ticket: Int, obsolete: Newcomer?)
  }

  /// A connection came.
  mutating func accept(_ connection: Connection, at key: PairingKey) -> Outcome<Connection, Announcement> {
    if let announcement = announced.removeValue(forKey: key) { return .paired(announcement.value) }
    lastTicket += 1
    let older = parked.updateValue(Waiting(value: connection, ticket: lastTicket), forKey: key)
    return .waits(ticket: lastTicket, obsolete: older?.value)
  }

  /// Somebody announced a connection.
  mutating func announce(_ announcement: Announcement, at key: PairingKey) -> Outcome<Announcement, Connection> {
    if let connection = parked.removeValue(forKey: key) { return .paired(connection.value) }
    lastTicket += 1
    let older = announced.updateValue(Waiting(value: announcement, ticket: lastTicket), forKey: key)
    return .waits(ticket: lastTicket, obsolete: older?.value)
  }

  /// The time of a parked connection is over.
  ///
  /// - Returns: the connection, if it still waits under this ticket.
  mutating func expireConnection(at key: PairingKey, ticket: Int) -> Connection? {
    guard parked[key]?.ticket == ticket else { return nil }
    return parked.removeValue(forKey: key)?.value
  }

  /// The time of an announcement is over, or it was withdrawn.
  ///
  /// - Returns: the announcement, if it still waits under this ticket.
  mutating func expireAnnouncement(at key: PairingKey, ticket: Int) -> Announcement? {
    guard announced[key]?.ticket == ticket else { return nil }
    return announced.removeValue(forKey: key)?.value
  }

  /// Gives up all connections that wait.
  mutating func removeAllConnections() -> [Connection] {
    defer { parked = [:] }
    return parked.values.map(\.value)
  }
}
