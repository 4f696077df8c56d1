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
  private let witness: Witness
  private var machine: FrontMachine
  private var child: FrontChild?
  /// The words by which others find this process, and the command as well.
  private let words: CommandWords
  /// The signals of who may send them to all processes of the run, until the others have theirs as well.
  private var held = HeldSignals()

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
    witness = try Witness.start()
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
        // Signals first: one that came before the end was meant for the child.
        if sources[0].revents != 0 { try handleSignals() }
        if sources[1].revents != 0 {
          let message = try link.receiveFromKeeper()
          switch message {
          case .started(let process):
            child = FrontChild(process, of: keeper)
            held.childStarted(isReached: ServiceManager.reaches(process) ?? false)
          case .childEnded:
            child = nil
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
        witness.resume()
      } else {
        // What the kernel sends by itself, as for the terminal, is for the group: where there is no witness any more, and
        // for a stop signal, which a SIGCONT that followed may have taken away from the witness.
        let isTerminals = signal.code == SI_KERNEL
        let heard = witness.received(signal.number)
        // Sent to the whole group after one to this process alone, as timeout(1) does it: both mean the same.
        if heard == true, !isTerminals { held.withdraw(signal.number) }
        if holds(signal, isHeard: heard) { continue }
        groupWide = heard ?? isTerminals || isTerminals && Witness.stopSignals.contains(signal.number)
      }
      try perform(machine.handle(.signal(signal.number, groupWide: groupWide)))
    }
  }

  /// Whether a signal waits until it is certain to whom it was sent.
  private mutating func holds(_ signal: devrun_signal, isHeard: Bool?) -> Bool {
    if ServiceManager.isAt(signal.sender) {
      let isReached = child.flatMap { ServiceManager.reaches($0.process) }
      return held.hold(signal.number, isHeard: isHeard ?? false, isReached: isReached, at: .now)
    }
    // One of a process (SI_USER and below), which the witness has not.
    guard signal.code <= 0, isHeard == false, HeldSignals.endings.contains(signal.number) else { return false }
    let isReached = child.flatMap { words.areShown(by: $0.process) }
    return held.hold(signal.number, from: .process, isHeard: false, isReached: isReached, at: .now)
  }

  /// Passes on what was sent to this process alone. What was sent to all processes of the control group or of the run, the
  /// child has received, too, even if it has died of that.
  private mutating func handleHeldSignals() throws(Errno) {
    for held in held.taken(at: .now) {
      // Asked in any case: the witness is to forget the signal.
      let heard = witness.received(held.signal) ?? false || held.isHeard
      let isDone = held.isDone || held.isChilds && heard
      try perform(machine.handle(isDone ? .childsSignal(held.signal) : .signal(held.signal, groupWide: false)))
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
