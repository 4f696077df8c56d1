import CLinux
import DevrunSystem
import Glibc

/// A process of the front's group that does nothing but receive signals.
///
/// A signal that only devrun received must be handed on to the child; one that the whole group received has reached the
/// child already. The kernel does not say which it was: a script that runs `kill $!` for its background job is in
/// devrun's own group, and `kill -- -PGID` may come from anywhere. So one more process of the group keeps all its signals
/// pending: what it has received as well was sent to the group.
///
/// The kernel signals the newest process of a group first (it puts each new one at the head of its list), and this one is
/// made after the front: when the front has a signal that was sent to the group, this one has it already.
///
/// Who signals processes by their name or their command line (pkill) means devrun or the command. The name of this one is
/// therefore another one, and of devrun's command line it shows the command's part alone: it is signalled where the command
/// is, and not where devrun alone is.
struct Witness: Sendable {
  /// What ps shows.
  private static let name = "signal-witness"

  private let process: pid_t
  private let link: Descriptor

  /// Starts the process. Called in a process of one thread, with all signals blocked.
  static func start() throws(Errno) -> Witness {
    let (ours, theirs) = try Descriptor.socketPair(type: SOCK_SEQPACKET)
    let process = try system { fork() }
    if process == 0 {
      testify(over: theirs.number)
    }
    theirs.close()
    return Witness(process: process, link: ours)
  }

  /// Whether the signal, which the front has just received, was received by its whole group. `nil` if the witness is
  /// gone. Not to be asked for SIGCONT.
  func received(_ signal: Int32) -> Bool? {
    resume()
    var question = signal
    var answer: UInt8 = 0
    do {
      try system { send(link.number, &question, MemoryLayout<Int32>.size, Int32(MSG_NOSIGNAL)) }
      let count = try system { recv(link.number, &answer, 1, 0) }
      return count == 1 ? answer != 0 : nil
    } catch {
      return nil
    }
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

  /// Answers questions until the front is gone.
  private static func testify(over link: Int32) -> Never {
    do {
      // Above all the front's connection to the keeper, which would seem to live on.
      try StandardStreams.release(keeping: [link])
      try shim { devrun_set_thread_name(name) }
      try shim { devrun_set_command_line(name) }
    } catch {
      _exit(125)
    }
    let signals = withUnsafePointer(to: SignalSet.all.raw) { devrun_signal_descriptor($0) }
    let front = getppid()
    var record = WitnessRecord()
    while true {
      var sources = [
        pollfd(fd: signals, events: Int16(POLLIN), revents: 0), pollfd(fd: link, events: Int16(POLLIN), revents: 0),
      ]
      if poll(&sources, 2, record.due.map { Int32(clamping: $0.millisecondsFromNow) } ?? -1) < 0 { continue }
      // Before the question, which may be about one of these.
      var signal = devrun_signal()
      while devrun_read_signal(signals, &signal) == 1 {
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
      var question: Int32 = 0
      guard recv(link, &question, MemoryLayout<Int32>.size, 0) == MemoryLayout<Int32>.size else { break }
      var answer: UInt8 = record.take(question) ? 1 : 0
      if send(link, &answer, 1, Int32(MSG_NOSIGNAL)) != 1 { break }
    }
    _exit(0)
  }
}
