import CLinux
import DevrunCore
public import DevrunPlan
public import DevrunSystem
import Glibc
import Synchronization

/// A change of a child's state.
enum ChildEvent: Sendable, Hashable {
  /// Stopped by this signal.
  case stopped(Int32)
  /// Continued after a stop.
  case continued
  /// Ended, and reaped.
  case ended(WaitStatus)
}

/// The command, running.
public final class LaunchedChild: Sendable {
  /// Its process id.
  public let processID: Int32
  /// How it got its own view of files. `nil` if its files are the machine's.
  public let isolation: Isolation?
  /// What answers its connects, if they are redirected.
  public let redirect: ConnectRedirect?

  private enum Life {
    case running
    case stopped
    case over
  }

  private let life = Mutex(Life.running)
  private let end = Latch<WaitStatus>()
  private let listening: Broadcast<ListenEvent>
  private let mountPoints: MountPoints?

  /// What begins to listen on this machine's TCP ports, as the plan's `listenPorts` ask for: each event once, those that
  /// came before first.
  ///
  /// The stream ends when `Keeper.accompany` returns: with the command's end, or with that of its last descendant where
  /// descendants are waited for.
  public var listenEvents: AsyncStream<ListenEvent> { listening.stream() }

  init(
    processID: pid_t, isolation: Isolation?, redirect: ConnectRedirect?, listening: Broadcast<ListenEvent>,
    mountPoints: MountPoints? = nil
  ) {
    self.processID = processID
    self.isolation = isolation
    self.redirect = redirect
    self.listening = listening
    self.mountPoints = mountPoints
  }

  /// Removes what was made on the machine for volumes to be shown at. To be called when the command has ended; what it left
  /// running does not see these volumes any more.
  ///
  /// - Returns: what could not be removed.
  public func removeMountPoints() -> [MountPoints.Failure] { mountPoints?.remove() ?? [] }

  /// Sends it a signal. Nothing happens if it has ended.
  public func send(_ signal: Int32) {
    // Under the lock, because the number may be another process's once this one is reaped.
    life.withLock { life in
      // What is not permitted (it runs as another user by now) is not permitted to the shell's user either.
      if life != .over { _ = kill(processID, signal) }
    }
  }

  /// How it ended. Waits for it. `nil` if this task was cancelled before.
  public func ended() async -> WaitStatus? { await end.wait() }

  /// How it ended. Waits for it, also when this task is cancelled.
  func endedForSure() async -> WaitStatus { await end.uncancelledValue() }

  /// Ends it: SIGTERM, and SIGKILL if that was of no use for so long. Returns when it has ended.
  public func terminate(grace: Duration) async -> WaitStatus? {
    send(SIGTERM)
    send(SIGCONT)
    if let status = await end.wait(for: grace) { return status }
    send(SIGKILL)
    return await end.wait()
  }
}

extension LaunchedChild {
  /// Ends the reports of listeners.
  func endListening() {
    redirect?.listens?.end()
    listening.finish()
  }

  /// Continues it if it is stopped.
  func resume() {
    life.withLock { life in
      if life == .stopped { _ = kill(processID, SIGCONT) }
    }
  }

  /// Waits for its changes until it has ended. Blocks; called by a thread of its own.
  func watch(_ report: (ChildEvent) -> Void) {
    while true {
      var event = devrun_child_event()
      do {
        try shim { devrun_await_child(processID, &event) }
      } catch {
        // Somebody else has reaped it, which nobody does.
        finish(.failed(.devrunFailed), report)
        return
      }
      switch event.change {
      case DEVRUN_CHILD_STOPPED:
        life.withLock { $0 = .stopped }
        report(.stopped(event.value))
      case DEVRUN_CHILD_CONTINUED:
        life.withLock { $0 = .running }
        report(.continued)
      case DEVRUN_CHILD_EXITED:
        finish(.exited(event.value), report)
        return
      default:
        finish(.killed(event.value, coreDumped: event.core_dumped), report)
        return
      }
    }
  }

  private func finish(_ status: WaitStatus, _ report: (ChildEvent) -> Void) {
    life.withLock { life in
      life = .over
      _ = devrun_reap(processID)
    }
    report(.ended(status))
    end.set(status)
  }
}
