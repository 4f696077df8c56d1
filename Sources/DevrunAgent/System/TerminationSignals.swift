internal import DevrunSystem
internal import Glibc

/// Waits for the end on the main thread, and reaps children meanwhile.
///
/// As process 1 of its container the agent has no default action for signals and inherits every orphan. The signals are
/// blocked before any other thread exists, so that all threads inherit the mask and only `sigwait` sees them.
struct TerminationSignals {
  private let signals = SignalSet([SIGTERM, SIGINT, SIGCHLD])

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
    do throws(Errno) {
      while try signals.wait() == SIGCHLD {
        while waitpid(-1, nil, WNOHANG) > 0 {}
      }
    } catch {
      throw .system("signals cannot be waited for: \(error)")
    }
  }
}
