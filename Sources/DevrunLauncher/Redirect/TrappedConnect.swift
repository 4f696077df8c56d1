import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import Synchronization

/// A `connect` of the child to a destination of the session, not answered yet.
///
/// A signal may interrupt the call, and the kernel then makes it again: the same call has another notification then. All
/// of them get the one answer.
final class TrappedConnect: Sendable {
  /// Which call it is.
  struct Key: Hashable {
    /// The socket.
    var inode: UInt64
    /// Where it is to be connected.
    var address: AddressKey
    /// As `address`.
    var port: UInt16
  }

  /// Which call it is.
  let key: Key
  /// Where the child wants to be connected.
  let destination: IPEndpoint
  /// The child's socket.
  let socket: CallerSocket
  /// The thread that calls.
  let thread: pid_t
  /// The child's descriptor of the socket.
  let number: Int32
  /// Whether the child has asked not to wait.
  let isNonBlocking: Bool
  /// How the socket was connected when the call was received. `nil`: it was not.
  let joined: Joined?
  /// What the far end answers. Setting it ends the waiting.
  let outcome = Latch<DialOutcome>()

  private let listener: Descriptor
  private let callers: Mutex<[UInt64]>
  private let hasBeenConnected: Atomic<Bool>

  /// A socket's connection to a listener of the session.
  struct Joined: Sendable {
    var acceptor: IPEndpoint
    var connection: CallerSocket.Connection
    /// Whether it needs no further `connect`.
    var isComplete: Bool
  }

  init(
    key: Key, destination: IPEndpoint, socket: CallerSocket, joined: Joined?, listener: Descriptor,
    call: devrun_notification
  ) {
    self.key = key
    self.destination = destination
    self.socket = socket
    self.joined = joined
    self.listener = listener
    isNonBlocking = socket.isNonBlocking
    hasBeenConnected = Atomic(joined != nil)
    thread = call.thread
    number = Int32(truncatingIfNeeded: call.arguments.0)
    callers = Mutex([call.id])
  }

  /// Whether the socket has been connected to a listener of the session.
  var isConnected: Bool { hasBeenConnected.load(ordering: .relaxed) }

  /// The socket has been connected to a listener of the session.
  func noteConnection() { hasBeenConnected.store(true, ordering: .relaxed) }

  /// One more notification of the same call.
  func join(_ caller: UInt64) {
    callers.withLock { callers in
      // Those that a signal ended are never answered.
      callers.removeAll { !devrun_notification_is_valid(listener.number, $0) }
      callers.append(caller)
    }
  }

  /// Whether anybody still waits for the answer. A caller that does not was killed, or a signal has interrupted it: it may
  /// make its call again.
  var isAwaited: Bool {
    callers.withLock { callers in
      callers.contains { devrun_notification_is_valid(listener.number, $0) }
    }
  }

  /// Answers with success, or with an error. Whether anybody was there to hear it.
  @discardableResult
  func answer(_ error: Errno?) -> Bool {
    takeCallers().reduce(false) { heard, caller in
      devrun_answer(listener.number, caller, 0, error?.rawValue ?? 0) == 0 || heard
    }
  }

  private func takeCallers() -> [UInt64] {
    callers.withLock { callers in
      defer { callers = [] }
      return callers
    }
  }
}
