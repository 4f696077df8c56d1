import CLinux
import DevrunSystem
import Glibc

/// A process of the front's group that does nothing but receive signals.
///
/// A signal that only devrun received must be handed on to the child; one that others received as well may have reached
/// the child already. The kernel does not say who received it: a script that runs `kill $!` for its background job is in
/// devrun's own group, and `kill -- -PGID` may come from anywhere. So further processes of the group keep all their signals
/// pending: `Witnesses` draws the conclusions.
///
/// The kernel signals the newest process of a group first (it puts each new one at the head of its list), and this one is
/// made after the front: when the front has a signal that was sent to the group, this one has it already.
struct Witness: Sendable {
  /// What ps shows.
  private static let name = "signal-witness"

  private let process: pid_t
  private let link: Descriptor

  /// Starts the process. Called in a process of one thread, with all signals blocked.
  ///
  /// - Parameters:
  ///   - showsCommand: whether its command line shows the command's words, as devrun's own does.
  ///   - keeper: the keeper's process id, and a descriptor of it if there is one.
  static func start(showsCommand: Bool, keeper: (id: pid_t, descriptor: Descriptor?)) throws(Errno) -> Witness {
    let (ours, theirs) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    let process = try system { fork() }
    if process == 0 {
      do throws(Errno) {
        // Above all the front's connection to the keeper, which would seem to live on.
        try StandardStreams.release(keeping: [theirs, keeper.descriptor].compactMap { $0?.number })
        try shim { devrun_set_thread_name(name) }
        try shim { devrun_set_command_line(name, showsCommand) }
        let child = try testify(over: theirs, keeper: keeper.id)
        if let child, let keeper = keeper.descriptor, try child.isLeft(by: keeper) {
          try child.end(hurriedBy: signalDescriptor())
        }
      } catch {
        _exit(125)
      }
      _exit(0)
    }
    theirs.close()
    return Witness(process: process, link: ours)
  }

  /// Whether the process has received the signal, which the front has just received. `nil` if it is gone. Not to be asked
  /// for SIGCONT.
  func received(_ signal: Int32) -> Bool? {
    resume()
    var answer: UInt8 = 0
    do throws(Errno) {
      try send(signal)
      let count = try system { recv(link.number, &answer, 1, 0) }
      return count == 1 ? answer != 0 : nil
    } catch {
      return nil
    }
  }

  /// Has the process end the child, if it outlives both the keeper and the front. `nil`: there is none, or none any more.
  func guards(_ child: pid_t?) {
    // Where the witness is gone, nothing guards.
    try? send(-(child ?? 0))
  }

  private func send(_ word: Int32) throws(Errno) {
    var word = word
    try system { Glibc.send(link.number, &word, MemoryLayout<Int32>.size, Int32(MSG_NOSIGNAL)) }
  }

  /// Continues the process if it is stopped: it was with the group, and the front was continued alone. Not otherwise,
  /// because a SIGCONT takes away a stop signal that the witness has not noticed yet.
  func resume() {
    var information = siginfo_t()
    // WNOWAIT: it stays known that it is stopped.
    guard waitid(P_PID, id_t(process), &information, WSTOPPED | WNOHANG | WNOWAIT) == 0, information.si_signo == SIGCHLD
    else { return }
    _ = kill(process, SIGCONT)
  }

  /// The signals by which the terminal stops. A SIGCONT takes them away where they are pending, and the other way round.
  static let stopSignals: Set<Int32> = [SIGTSTP, SIGTTIN, SIGTTOU]

  private static func signalDescriptor() throws(Errno) -> Descriptor {
    Descriptor(try shim { withUnsafePointer(to: SignalSet.all.raw) { devrun_signal_descriptor($0) } })
  }

  /// Answers questions until the front is gone. Returns the child that is guarded then.
  private static func testify(over link: Descriptor, keeper: pid_t) throws(Errno) -> FrontChild? {
    let signals = try signalDescriptor()
    let front = getppid()
    var record = WitnessRecord()
    var guarded: FrontChild?
    while true {
      var sources = [signals, link].map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
      try system { poll(&sources, 2, record.due.map { Int32(clamping: $0.millisecondsFromNow) } ?? -1) }
      // Before the question, which may be about one of these.
      var signal = devrun_signal()
      while try shim({ devrun_read_signal(signals.number, &signal) }) == 1 {
        record.receive(signal.number, at: .now)
      }
      guard sources[1].revents != 0 else {
        if let due = record.due, due <= .now {
          // A front that cannot be looked at is taken for one that has looked at its signals.
          let pending = ProcessStatus.pendingSignals(of: front) ?? SignalSet()
          record.forget(at: .now) { pending.contains($0) }
        }
        continue
      }
      var word: Int32 = 0
      // A front that was killed while it waited for an answer leaves a reset.
      guard recv(link.number, &word, MemoryLayout<Int32>.size, 0) == MemoryLayout<Int32>.size else { return guarded }
      if word > 0 {
        var answer: UInt8 = record.take(word) ? 1 : 0
        if Glibc.send(link.number, &answer, 1, Int32(MSG_NOSIGNAL)) != 1 { return guarded }
      } else {
        guarded = word < 0 ? FrontChild(-word, of: keeper) : nil
      }
    }
  }
}
