import CLinux
import Glibc
import Synchronization

/// Why a session is to end before its command has ended.
public enum Interruption: Sendable, Hashable {
  /// devrun received this signal while no child could take it: before the launch, or during teardown.
  case signal(Int32)
  /// The front is gone without having been told to end: it was killed.
  case frontGone
}

/// The keeper's side of a run: its connection to the front.
public final class Keeper: Sendable {
  /// What the child gets as devrun got it.
  let inherited: InheritedState
  /// The front's process group, which the child joins.
  let jobGroup: pid_t

  private let link: Link
  private let front: pid_t
  private let state = Mutex(State())

  private struct State {
    var child: LaunchedChild?
    var finished = false
    var interruptions: [Interruption] = []
    var subscribers: [Int: AsyncStream<Interruption>.Continuation] = [:]
    var nextSubscriber = 0
  }

  /// Makes this process the keeper. Called in the forked process, with all signals blocked.
  init(link: Link, inherited: InheritedState, front: pid_t) throws(Errno) {
    self.link = link
    self.inherited = inherited
    self.front = front
    jobGroup = getpgid(front)
    try system { setpgid(0, 0) }
    // What the terminal does to a background process that writes, and to all when it goes away.
    for signal in [SIGHUP, SIGTTOU, SIGTTIN, SIGTSTP, SIGPIPE] { try shim { devrun_ignore(signal) } }
    try shim { devrun_become_subreaper() }
    try listen()
  }

  /// The reasons to end the session early: those that have come already, then each that comes.
  ///
  /// Any number of tasks may ask; each gets all. A stream ends when its consumer is cancelled.
  public func interruptions() -> AsyncStream<Interruption> {
    AsyncStream { continuation in
      let number = state.withLock { state in
        state.nextSubscriber += 1
        for interruption in state.interruptions { continuation.yield(interruption) }
        state.subscribers[state.nextSubscriber] = continuation
        return state.nextSubscriber
      }
      continuation.onTermination = { _ in
        self.state.withLock { _ = $0.subscribers.removeValue(forKey: number) }
      }
    }
  }

  /// Ends the front: it exits with the status, or dies of the signal, and with it what the shell waits for. To be called
  /// when all that the user is promised is done. This process may go on.
  public func finish(_ status: WaitStatus) {
    let first = state.withLock { state in
      defer { state.finished = true }
      return !state.finished
    }
    if first { tell(.finished(status)) }
  }

  /// Gives up standard error, so that whoever reads devrun's until its end is not kept waiting by a keeper that stays
  /// for the sake of the child's descendants.
  public func detachStandardError() throws(Errno) {
    try StandardStreams.disconnect([2])
  }
}

extension Keeper {
  /// From now on signals are the child's. Those that came since the fork and were not sent to the whole group are handed
  /// on at once.
  func attach(_ child: LaunchedChild) {
    state.withLock { $0.child = child }
    tell(.started(child.processID))
  }

  /// The child was stopped or continued.
  func childChanged(_ change: ChildEvent) {
    switch change {
    case .stopped(let signal): tell(.stopped(signal))
    case .continued:
      tell(.continued)
      // The front may be stopped: whoever continued the child continued the job.
      _ = kill(front, SIGCONT)
    case .ended:
      state.withLock { $0.child = nil }
    }
  }

  private func tell(_ message: KeeperMessage) {
    do {
      try link.send(message)
    } catch {
      StandardStreams.printError("devrun: the front cannot be reached: \(error)")
    }
  }

  /// Starts the thread that hears the front and this process's own signals.
  private func listen() throws(Errno) {
    let signals = Descriptor(
      try shim {
        var handled = sigset_t([SIGINT, SIGTERM, SIGQUIT, SIGCHLD])
        return devrun_signal_descriptor(&handled)
      })
    try NativeThread.start(name: "devrun-keeper") { [self] in
      do throws(Errno) {
        var open = true
        while true {
          var sources = [
            pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
            pollfd(fd: open ? link.descriptor.number : -1, events: Int16(POLLIN), revents: 0),
          ]
          try system { poll(&sources, 2, -1) }
          if sources[0].revents != 0 { try handleOwnSignals(signals) }
          if sources[1].revents != 0 { open = try handleMessage() }
        }
      } catch {
        StandardStreams.printError("devrun: the connection to the front failed: \(error)")
        interrupt(.frontGone)
      }
    }
  }

  /// Takes a message. Whether there can be more.
  private func handleMessage() throws(Errno) -> Bool {
    guard let message = try link.receiveFromFront() else {
      if !state.withLock({ $0.finished }) { interrupt(.frontGone) }
      return false
    }
    switch message {
    case .signal(let number, let groupWide): handle(number, groupWide: groupWide)
    }
    return true
  }

  private func handleOwnSignals(_ signals: Descriptor) throws(Errno) {
    var signal = devrun_signal()
    while try shim({ devrun_read_signal(signals.number, &signal) }) == 1 {
      if signal.number == SIGCHLD {
        OrphanReaper.reap(except: state.withLock { $0.child?.processID })
      } else {
        // Sent to this process alone, by its number or its name: it stands for devrun.
        handle(signal.number, groupWide: false)
      }
    }
  }

  /// A signal that devrun received goes to the child, unless it has it already.
  private func handle(_ number: Int32, groupWide: Bool) {
    guard let child = state.withLock({ $0.child }) else {
      if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(number) { interrupt(.signal(number)) }
      return
    }
    if number == SIGCONT {
      child.resume()
    } else if !(groupWide && getpgid(child.processID) == jobGroup) {
      child.send(number)
    }
  }

  private func interrupt(_ interruption: Interruption) {
    state.withLock { state in
      state.interruptions.append(interruption)
      for subscriber in state.subscribers.values { subscriber.yield(interruption) }
    }
  }
}
