import DevrunCore
import DevrunSystem
import Glibc

/// The settings of the job's terminal as they were before the command could change them (termios(3)).
///
/// A program that dies at once leaves the terminal as it needed it: without echo, without lines. An interactive shell
/// puts its own settings back after a job that died of a signal, but a script, make or `sh -c` does not, and devrun would
/// write its last words to such a terminal. So the same is done here. After an exit nothing is: `devrun -- stty -echo`
/// means what it says.
struct TerminalSettings: Sendable {
  private let settings: termios

  /// Takes them. `nil`: there is no terminal, or another job has it, whose settings these would be.
  init?(ofJob group: pid_t) {
    guard let terminal = Self.terminal, tcgetpgrp(terminal.number) == group else { return nil }
    var settings = termios()
    guard tcgetattr(terminal.number, &settings) == 0 else { return nil }
    self.settings = settings
  }

  /// Puts them back, unless another job has the terminal by now. A terminal that was left to a group that is no more (a
  /// shell in a group of its own that was killed) is the job's again.
  ///
  /// Called with SIGTTOU ignored.
  func restore(toJob group: pid_t) {
    guard let terminal = Self.terminal else { return }
    let foreground = tcgetpgrp(terminal.number)
    if foreground != group {
      guard foreground > 0, kill(-foreground, 0) != 0, errno == ESRCH else { return }
      // Refused if the job's group is gone as well: then nobody is left to be helped.
      guard tcsetpgrp(terminal.number, group) == 0 else { return }
    }
    var settings = settings
    // At once: to wait until all is shown might be for ever, after Ctrl-S.
    _ = tcsetattr(terminal.number, TCSANOW, &settings)
  }

  /// The terminal of this process's session. `nil`: it has none, or that has hung up.
  private static var terminal: Descriptor? { try? Descriptor.open("/dev/tty", O_RDWR | O_NOCTTY) }
}
