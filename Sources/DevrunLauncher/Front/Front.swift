import CLinux
import DevrunPlan
import DevrunSystem
import Glibc

/// The process that the shell started, after the keeper was split off: in the job's process group, it mirrors the child.
struct Front {
  private let link: Link
  private let keeper: pid_t
  /// What puts back what the keeper leaves changed if it is killed.
  private let remedy: String
  private let signals: Descriptor
  private let witnesses: Witnesses
  private var machine: FrontMachine
  private var child: FrontChild?
  /// The words by which others find this process, and the command as well.
  private let words: CommandWords
  /// The signals of who may send them to all processes of the run, until the others have theirs as well.
  private var held = HeldSignals()
  /// The signals that the whole group is known to have received, until this process has looked at all that it has received.
  private var groups: Set<Int32> = []

  /// Makes this process the front. It gives up all descriptors but standard error and its link: whoever waits for the
  /// end of a pipe that the child holds must not wait for devrun.
  ///
  /// Called in a process of one thread, with all signals blocked.
  init(link: Link, keeper: pid_t, remedy: String) throws(Errno) {
    self.link = link
    self.keeper = keeper
    self.remedy = remedy
    words = CommandWords()
    try StandardStreams.release(keeping: [link.descriptor.number])
    witnesses = try Witnesses.start(keeper: keeper)
    signals = Descriptor(try shim { withUnsafePointer(to: SignalSet.all.raw) { devrun_signal_descriptor($0) } })
    machine = FrontMachine(hasJobControl: JobControl.isThere)
  }

  /// Serves until the keeper says how to end.
  mutating func run() -> Never {
    do throws(Errno) {
      while true {
        var sources = [
          pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
          pollfd(fd: link.descriptor.number, events: Int16(POLLIN), revents: 0),
        ]
        let patience = held.due.map { Int32(clamping: $0.millisecondsFromNow) } ?? -1
        let count = try system { poll(&sources, 2, machine.awaitsIdle ? 0 : patience) }
        try handleHeldSignals()
        if count == 0, machine.awaitsIdle {
          // A shell may have continued the job meanwhile, which has the child at once and its keeper's word later. If the
          // front stopped now, the shell would take the terminal back.
          let isContinued = child.flatMap { ProcessStatus(of: $0.process) }?.isContinued ?? false
          try perform(machine.handle(isContinued ? .message(.continued) : .idle))
        }
        // Signals first, also one that came during the poll: one that came before the child's start did not reach that by
        // the group, and one that came before its end was meant for it.
        try handleSignals()
        if sources[1].revents != 0 {
          let message = try link.receiveFromKeeper()
          switch message {
          case .started(let process):
            child = FrontChild(process, of: keeper)
            witnesses.guards(process)
            held.childStarted(isInControlGroup: ServiceManager.reaches(process) ?? false)
          case .childEnded:
            child = nil
            witnesses.guards(nil)
            held.childEnded(at: .now)
          default: break
          }
          try perform(machine.handle(message.map { .message($0) } ?? .keeperGone))
        }
      }
    } catch {
      StandardStreams.printError("devrun: the process that the shell waits for failed: \(error)")
      _exit(125)
    }
  }

  private mutating func handleSignals() throws(Errno) {
    var signal = devrun_signal()
    while try shim({ devrun_read_signal(signals.number, &signal) }) == 1 {
      var groupWide = false
      if signal.number == SIGCONT {
        witnesses.resume()
      } else {
        try link.send(.received(signal.number))
        // What the kernel sends by itself, as for the terminal, is for the group: where there is no witness any more, and
        // for a stop signal, which a SIGCONT that followed may have taken away from the witness.
        let isTerminals = signal.code == SI_KERNEL
        let reach = reach(of: signal.number)
        if reach == .all, !isTerminals { held.withdraw(signal.number) }
        // The group received its own just before the question about one that came to this process first (timeout(1)): the
        // answer was about that. Of two that are pending at once the kernel makes one, but for real-time signals.
        if reach == .alone, groups.contains(signal.number), signal.number < 32 { continue }
        if let reach, holds(signal, reach) { continue }
        groupWide = reach.map { $0 == .all } ?? isTerminals
        if isTerminals, Witness.stopSignals.contains(signal.number) { groupWide = true }
      }
      try perform(machine.handle(.signal(signal.number, groupWide: groupWide)))
    }
    groups = []
  }

  /// Who has received a signal, which this process has received.
  private mutating func reach(of signal: Int32) -> Witnesses.Reach? {
    let reach = witnesses.reach(of: signal)
    if reach == .all { groups.insert(signal) }
    return reach
  }

  /// Whether a signal waits until it is certain to whom it was sent.
  private mutating func holds(_ signal: devrun_signal, _ reach: Witnesses.Reach) -> Bool {
    if ServiceManager.isAt(signal.sender) {
      return held.holdManagers(
        signal.number, by: signal.sender, reach: reach,
        isInControlGroup: child.flatMap { ServiceManager.reaches($0.process) }, at: .now)
    }
    // Those of processes are SI_USER and below.
    guard signal.code <= 0 else { return false }
    return held.hold(
      signal.number, by: signal.sender, reach: reach,
      showsWords: child.flatMap { words.areShown(by: $0.process) },
      isInGroup: child.map { getpgid($0.process) == getpgrp() } ?? true,
      isHandled: child?.handles(signal.number) ?? true, at: .now)
  }

  /// Passes on what was sent to this process alone. What was sent to all processes of the control group or of the run, the
  /// child has received, too, even if it has died of that.
  private mutating func handleHeldSignals() throws(Errno) {
    var held = self.held
    let taken = held.taken(
      at: .now, isRunning: { ProcessStatus(of: $0)?.isRunning ?? false }, reach: { reach(of: $0) })
    self.held = held
    for (signal, verdict) in taken {
      guard case .passed(let groupWide) = verdict else { continue }
      try perform(machine.handle(.signal(signal, groupWide: groupWide)))
    }
  }

  private func perform(_ actions: [FrontMachine.Action]) throws(Errno) {
    for action in actions {
      switch action {
      case .tell(let message): try link.send(message)
      case .stop(let signal): try take(signal)
      case .end(.exited(let status)): _exit(status)
      case .end(.killed(let signal, _)): try die(of: signal)
      case .endChild: try child?.end(hurriedBy: signals)
      case .reportLoss: reportLoss()
      }
    }
  }

  /// Lets the signal have its default effect on this process.
  private func take(_ signal: Int32) throws(Errno) {
    _ = devrun_set_default(signal)
    let one = SignalSet([signal])
    _ = kill(getpid(), signal)
    try one.unblock()
    try one.block()
  }

  /// Dies of the signal that the child died of, without a core dump of its own beside the child's.
  private func die(of signal: Int32) throws(Errno) -> Never {
    _ = devrun_forbid_core_dump()
    try take(signal)
    _exit(128 + signal)
  }

  private func reportLoss() -> Never {
    var status: Int32 = 0
    let reaped = waitpid(keeper, &status, 0) == keeper
    let cause = reaped && status & 0x7f != 0 ? " (signal \(status & 0x7f))" : ""
    StandardStreams.printError(
      "devrun: the process that held the session ended unexpectedly\(cause); "
        + "put back what it left changed with: \(remedy)")
    _exit(125)
  }
}
