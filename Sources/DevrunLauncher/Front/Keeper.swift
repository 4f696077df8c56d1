import CLinux
public import DevrunPlan
import DevrunSystem
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
  /// The process that the shell started.
  let front: pid_t

  /// Where the threads come from that the child is to inherit from.
  let threads: ThreadSource

  /// Set once nobody is to wait for the child's descendants any more: none is left, or devrun was told to end.
  let descendantsAwaited = Latch<Void>()

  private let link: Link
  private let state = Mutex(State())
  private let interruptionsSoFar = Broadcast<Interruption>()

  private struct State {
    var child: LaunchedChild?
    /// The child's process id, also after its end.
    var launched: pid_t?
    var terminal: TerminalSettings?
    /// What holds the child up until the front knows of it.
    var gate: Descriptor?
    var finished = false
    var frontIsGone = false
  }

  /// Makes this process the keeper. Called in the forked process, with all signals blocked.
  init(link: Link, inherited: InheritedState, front: pid_t) throws(Errno) {
    self.link = link
    self.inherited = inherited
    self.front = front
    jobGroup = getpgid(front)
    threads = try ThreadSource()
    try system { setpgid(0, 0) }
    // A background process must neither stop nor fail for writing to the terminal, or for asking it.
    for signal in [SIGTTOU, SIGTTIN] { try shim { devrun_ignore(signal) } }
    try shim { devrun_become_subreaper() }
    try raiseDescriptorLimit()
    try listen()
  }

  /// The reasons to end the session early: those that have come already, then each that comes.
  ///
  /// Any number of tasks may ask; each gets all. A stream ends when its consumer is cancelled.
  public func interruptions() -> AsyncStream<Interruption> { interruptionsSoFar.stream() }

  /// Ends the front: it exits with the status, or dies of the signal, and with it what the shell waits for. To be called
  /// when all that the user is promised is done. This process may go on.
  public func finish(_ status: WaitStatus) {
    let first = state.withLock { state in
      defer { state.finished = true }
      return !state.finished
    }
    guard first else { return }
    tell(.finished(status))
    // It may be stopped as the child was.
    continueFront()
  }

  /// The process group in which something can ask the user on the terminal: the job's, as long as it is in the
  /// foreground and no child has the terminal. `nil` where nobody can be asked.
  public var askingGroup: Int32? {
    guard state.withLock({ $0.launched }) == nil, isatty(0) == 1, tcgetpgrp(0) == jobGroup else { return nil }
    return jobGroup
  }
}

extension Keeper {
  /// Raises the limit of open descriptors as far as it goes: each connection of the child takes one here, and the child may
  /// raise its own limit. The child gets the limit that devrun was started with.
  private func raiseDescriptorLimit() throws(Errno) {
    var limit = inherited.descriptorLimit
    limit.rlim_cur = limit.rlim_max
    try system { setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
  }

  /// Remembers the terminal's settings. Before the child can change them.
  func recordTerminal() {
    let terminal = TerminalSettings(ofJob: jobGroup)
    state.withLock { $0.terminal = terminal }
  }

  /// From now on signals are forwarded to the child, including those received since the launch began. The child keeps them
  /// blocked until the gate opens; so a signal that arrives both through the process group and through us is delivered
  /// once.
  ///
  /// The gate opens once the front knows of the child. From then on the front tells the group's signals from its own.
  func attach(_ child: LaunchedChild, gate: Descriptor?) {
    let early = state.withLock { state in
      state.child = child
      state.launched = child.processID
      state.gate = gate
      return interruptionsSoFar.takeBack { $0 != .frontGone }
    }
    for case .signal(let number) in early { child.send(number) }
    tell(.started(child.processID))
    if state.withLock({ $0.frontIsGone }) { openGate() }
  }

  /// The child could not be launched after all.
  func detach() {
    let wasAttached = state.withLock { state in
      defer {
        state.child = nil
        state.launched = nil
        state.gate = nil
      }
      return state.child != nil
    }
    if wasAttached { tell(.childEnded) }
  }

  private func openGate() {
    guard
      let gate = state.withLock({ state in
        defer { state.gate = nil }
        return state.gate
      })
    else { return }
    var byte: UInt8 = 1
    // The child may be gone already.
    _ = write(gate.number, &byte, 1)
    gate.close()
  }

  /// The child was stopped or continued.
  func childChanged(_ change: ChildEvent) {
    switch change {
    case .stopped(let signal): tell(.stopped(signal))
    case .continued:
      tell(.continued)
      // The front may be stopped: whoever continued the child continued the job.
      continueFront()
    case .ended(let status):
      let terminal = state.withLock { state in
        state.child = nil
        return state.terminal
      }
      if case .killed = status { terminal?.restore(toJob: jobGroup) }
      tell(.childEnded)
      noticeDescendants()
    }
  }

  /// Looks whether the child's descendants are still there, after its end.
  private func noticeDescendants() {
    if state.withLock({ $0.child == nil }), OrphanReaper.leftNothing { descendantsAwaited.set(()) }
  }

  private func continueFront() {
    if !state.withLock({ $0.frontIsGone }) { _ = kill(front, SIGCONT) }
  }

  private func tell(_ message: KeeperMessage) {
    do {
      try link.send(message)
    } catch {
      StandardStreams.printError("devrun: the front cannot be reached: \(error)")
    }
  }

  /// Starts the thread that hears the front and this process's own signals.
  ///
  /// The signals come by a handler: Swift's runtime lets the first thread wait with all signals unblocked, so that reading
  /// them from a signalfd is not to be relied on.
  private func listen() throws(Errno) {
    let (signals, caught) = try Descriptor.pipe()
    for end in [signals, caught] { try system { fcntl(end.number, F_SETFL, O_NONBLOCK) } }
    let handled = SignalSet(Self.ownSignals + Self.harmlessSignals)
    try shim { withUnsafePointer(to: handled.raw) { devrun_catch($0, caught.number) } }
    try NativeThread.start(name: "devrun-keeper") { [self] in
      do throws(Errno) {
        // Held as long as the handler writes to it.
        try withExtendedLifetime(caught) { () throws(Errno) in
          try handled.unblock()
          try hear(signals)
        }
      } catch {
        StandardStreams.printError("devrun: the connection to the front failed: \(error)")
        interrupt(.frontGone)
      }
    }
  }

  /// Signals to this process that have a meaning for it. But for SIGCHLD they stand for devrun: who sends one by name or to
  /// all processes means the command.
  private static let ownSignals = HeldSignals.sentToSeveral + [SIGCHLD]
  /// Signals that would end or stop this process, and have no meaning for it.
  private static let harmlessSignals = [
    SIGPIPE, SIGTSTP, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ, SIGSTKFLT,
  ]

  private func hear(_ signals: Descriptor) throws(Errno) {
    var isOpen = true
    var doubled = DoubledSignals()
    while true {
      var sources = [
        pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: isOpen ? link.descriptor.number : -1, events: Int16(POLLIN), revents: 0),
      ]
      try system { poll(&sources, 2, doubled.due.map { Int32(clamping: $0.millisecondsFromNow) } ?? -1) }
      if sources[0].revents != 0 { handleOwnSignals(signals, &doubled) }
      if sources[1].revents != 0 { isOpen = try handleMessage(&doubled) }
      for signal in isOpen ? doubled.taken(at: .now) : doubled.takenAll() { handle(signal, groupWide: false) }
    }
  }

  /// Takes a message. Whether there can be more.
  private func handleMessage(_ doubled: inout DoubledSignals) throws(Errno) -> Bool {
    guard let message = try link.receiveFromFront() else {
      let wasKilled = state.withLock { state in
        state.frontIsGone = true
        return !state.finished
      }
      openGate()
      if wasKilled { interrupt(.frontGone) }
      return false
    }
    switch message {
    case .received(let number): doubled.front(number, at: .now)
    case .signal(let number, let groupWide):
      // What the group of the front and this process have received, the child has received in whichever group it is.
      let isEverybodys = doubled.passOn(number, at: .now) && groupWide
      handle(number, groupWide: groupWide, isEverybodys: isEverybodys)
    case .heard: openGate()
    }
    return true
  }

  private func handleOwnSignals(_ signals: Descriptor, _ doubled: inout DoubledSignals) {
    var number: UInt8 = 0
    while read(signals.number, &number, 1) == 1 {
      let signal = Int32(number)
      if signal == SIGCHLD {
        // Before the launch there are no orphans, and what the session runs for itself is reaped by whoever waits for it.
        if let child = state.withLock({ $0.launched }) {
          OrphanReaper.reap(except: child)
          noticeDescendants()
        }
      } else if Self.ownSignals.contains(signal) {
        doubled.keeper(signal, at: .now)
      }
    }
  }

  /// A signal that devrun received goes to the child, unless it has it already.
  private func handle(_ number: Int32, groupWide: Bool, isEverybodys: Bool = false) {
    guard let child = state.withLock({ $0.child }) else {
      // What the child has received is no wish about what follows its end.
      if groupWide { return }
      // One that devrun was started to ignore (nohup, a script's background job) does not end it here either.
      if [SIGINT, SIGTERM, SIGHUP, SIGQUIT].contains(number), !inherited.ignores(number) {
        interrupt(.signal(number))
      }
      return
    }
    if number == SIGCONT {
      child.resume()
    } else if !isEverybodys, !(groupWide && getpgid(child.processID) == jobGroup) {
      child.send(number)
    }
  }

  private func interrupt(_ interruption: Interruption) {
    // A signal before the launch is passed on to the child that comes.
    let endsWaiting = state.withLock { state in
      interruption == .frontGone || state.launched != nil && state.child == nil
    }
    interruptionsSoFar.send(interruption)
    if endsWaiting { descendantsAwaited.set(()) }
  }
}
