import DevrunCore
import DevrunPlan

/// What is reported of the listeners on this machine: the rules, without any system call.
struct ListenDecision {
  private let expected: Set<UInt16>
  /// The sockets that listened before the command began.
  private var older: Set<UInt64> = []
  /// The sockets that the command or a descendant of it wants to listen, and that were not seen to listen yet.
  private var trapped: Set<UInt64> = []
  private var begun: Set<UInt16> = []
  private var elsewhere: Set<UInt16> = []
  private var unreachable: Set<UInt16> = []

  /// No listener is seen yet.
  init(expected: Set<UInt16>) { self.expected = expected }

  /// Whether there is an expected port without a listener that counts. Only for such a port, and for what was trapped, the
  /// machine's listeners are of interest.
  var awaitsExpected: Bool { begun != expected }

  /// The machine's listeners before the command begins.
  ///
  /// - Parameters:
  ///   - inherited: the sockets among them that the command is started with: they are the command's own.
  ///   - owner: finds out which process an older listener is of.
  mutating func begin(
    with listeners: [TCPListener], inherited: Set<UInt64>, owner: (TCPListener) -> String?
  ) -> [ListenEvent] {
    older = Set(listeners.map(\.inode)).subtracting(inherited)
    var events = found(listeners)
    for port in expected.sorted() where !begun.contains(port) {
      guard let occupant = listeners.first(where: { $0.port == port && $0.isReachable }) else { continue }
      events.append(.occupied(port: port, by: owner(occupant)))
    }
    return events
  }

  /// The command, or a descendant of it, has asked the kernel to make the socket listen. It may have listened before.
  mutating func trap(_ socket: UInt64) { trapped.insert(socket) }

  /// The socket was not seen to listen in time.
  mutating func giveUp(_ socket: UInt64) { trapped.remove(socket) }

  /// Whether the socket was trapped, and has neither been seen to listen nor been given up.
  func awaits(_ socket: UInt64) -> Bool { trapped.contains(socket) }

  /// The machine's listeners at some later time.
  mutating func found(_ listeners: [TCPListener]) -> [ListenEvent] {
    // Those first by which a port begins: a server may listen on several addresses of one.
    (listeners.filter(\.isReachable) + listeners.filter { !$0.isReachable }).compactMap { listener in
      let isCommands = trapped.remove(listener.inode) != nil
      guard listener.isReachable else { return isCommands ? missed(listener) : nil }
      if expected.contains(listener.port) {
        guard isCommands || !older.contains(listener.inode) else { return nil }
        return begun.insert(listener.port).inserted ? .began(port: listener.port) : nil
      }
      return isCommands && elsewhere.insert(listener.port).inserted ? .elsewhere(port: listener.port) : nil
    }
  }

  /// The command listens where the session's connections do not arrive.
  private mutating func missed(_ listener: TCPListener) -> ListenEvent? {
    guard expected.contains(listener.port), !begun.contains(listener.port), unreachable.insert(listener.port).inserted
    else { return nil }
    return .unreachable(port: listener.port, address: listener.address.description)
  }
}
