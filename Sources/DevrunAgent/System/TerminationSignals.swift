internal import DevrunSystem
internal import Glibc

/// Waits for the end on the main thread, and reaps children meanwhile.
///
/// As process 1 of its container the agent has no default action for signals and inherits every orphan. The signals are
/// blocked before any other thread exists, so that all threads inherit the mask and only `sigwaitinfo` sees them. The
/// loader has blocked them already, so that none is lost in between.
///
/// An image may name any signal by which it wants to be stopped (STOPSIGNAL), and the agent does not know which: each ends
/// it, but those by which the kernel answers a program's mistakes.
struct TerminationSignals {
  /// The signals that do not end the agent, beside those that cannot be blocked.
  private static let others: Set<Int32> = [
    SIGCHLD, SIGCONT, SIGPIPE, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
  ]

  /// SIGRTMAX, which is a function's result in C.
  private static let last: Int32 = 64

  /// The signals that end the agent.
  static let ending = (Int32(1)...last).filter { !others.contains($0) && $0 != SIGKILL && $0 != SIGSTOP }

  private let signals = SignalSet(Self.ending + [SIGCHLD])

  /// Blocks the signals. To be made while the process has one thread.
  ///
  /// - Throws: `AgentError.system`.
  init() throws(AgentError) {
    do throws(Errno) {
      try signals.block()
    } catch {
      throw .system("the signal mask cannot be set: \(error)")
    }
    // A peer that is gone shows as an error of the write.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Returns when the agent is told to end.
  ///
  /// - Throws: `AgentError.system`.
  func wait() throws(AgentError) {
    while true {
      var info = siginfo_t()
      let signal = withUnsafePointer(to: signals.raw) { sigwaitinfo($0, &info) }
      switch signal {
      case SIGCHLD: while waitpid(-1, nil, WNOHANG) > 0 {}
      // A terminal has another size: the kernel says so, not a runtime.
      case SIGWINCH where info.si_code > 0: continue
      case -1 where errno == EINTR: continue
      case -1: throw .system("signals cannot be waited for: \(Errno.last)")
      default: return
      }
    }
  }
}
