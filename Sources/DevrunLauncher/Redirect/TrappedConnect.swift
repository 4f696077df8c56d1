import CLinux
import DevrunCore
import DevrunPlan
import DevrunSystem
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
  /// What the far end answers. Setting it ends the waiting.
  let outcome = Latch<DialOutcome>()

  private let listener: Descriptor
  private let callers: Mutex<[UInt64]>

  init(key: Key, destination: IPEndpoint, socket: CallerSocket, listener: Descriptor, caller: UInt64) {
    self.key = key
    self.destination = destination
    self.socket = socket
    self.listener = listener
    callers = Mutex([caller])
  }

  /// One more notification of the same call.
  func join(_ caller: UInt64) { callers.withLock { $0.append(caller) } }

  /// Whether anybody still waits for the answer.
  var isAwaited: Bool {
    callers.withLock { callers in
      callers.contains { devrun_notification_is_valid(listener.number, $0) }
    }
  }

  /// Whether a call that nobody waits for any more may come again: a signal interrupted it. Where the kernel keeps
  /// callers waiting through signals, they were killed.
  func canBeRepeated(_ features: KernelFeatures) -> Bool { !features.contains(.waitKillable) }

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
