internal import Glibc

/// Waits for the end on the main thread, and buries the dead meanwhile.
///
/// As process 1 of its container the agent has no default action for signals and inherits every orphan. The signals are
/// blocked before any other thread exists, so that all threads inherit the mask and only `sigwait` sees them.
struct TerminationSignals {
  private var set = sigset_t()

  /// Blocks the signals. To be made while the process has one thread.
  ///
  /// - Throws: `AgentError.system`.
  init() throws(AgentError) {
    sigemptyset(&set)
    for signal in [SIGTERM, SIGINT, SIGCHLD] { sigaddset(&set, signal) }
    guard pthread_sigmask(SIG_BLOCK, &set, nil) == 0 else { throw .system("the signal mask cannot be set") }
    // A peer that is gone shows as an error of the write.
    signal(SIGPIPE, SIG_IGN)
  }

  /// Returns when the agent is told to end.
  func wait() {
    var set = set
    while true {
      var number: Int32 = 0
      guard sigwait(&set, &number) == 0 else { continue }
      guard number == SIGCHLD else { return }
      while waitpid(-1, nil, WNOHANG) > 0 {}
    }
  }
}
