import CLinux
import DevrunSystem
import Glibc

/// The command as the front sees it: no child of its own, so its number may be another process's once it has ended.
struct FrontChild {
  /// How long a command whose keeper has died may take from the kernel's SIGTERM to its end.
  static let grace: Duration = .seconds(5)

  /// Its process id.
  let process: pid_t
  private let descriptor: Descriptor

  /// The child of the keeper. `nil`: it has ended already, or this process may not have a descriptor of it.
  init?(_ process: pid_t, of keeper: pid_t) {
    guard let descriptor = try? Descriptor(shim { devrun_pidfd_open(process, false) }),
      // Only the keeper reaps it. So if that has a child of the number afterwards, the descriptor is of that child.
      ProcessStatus(of: process)?.parent == keeper
    else { return nil }
    self.process = process
    self.descriptor = descriptor
  }

  /// Ends it after the death of the keeper, at which the kernel has sent it a SIGTERM (`devrun_end_with_parent`).
  ///
  /// It gets another SIGTERM after half of the time, since a program loses the kernel's by a change of its user (su, gosu),
  /// and SIGKILL in the end.
  ///
  /// - Parameter signals: what shortens the time when it can be read.
  func end(hurriedBy signals: Descriptor) throws(Errno) {
    // A stopped one takes SIGTERM when it continues.
    for signal in [SIGCONT, SIGTERM, SIGKILL] {
      do throws(Errno) {
        try shim { devrun_signal_process(descriptor.number, signal) }
        if signal == SIGTERM { try shim { devrun_signal_process(descriptor.number, SIGCONT) } }
      } catch {
        // It has ended, or is another user's: then it is not this process's to end.
        return
      }
      if try hasEnded(within: Self.grace / 2, hurriedBy: signals) { return }
    }
  }

  /// Waits until it has ended, for so long at most.
  private func hasEnded(within time: Duration, hurriedBy signals: Descriptor) throws(Errno) -> Bool {
    let due = ContinuousClock.now + time
    while true {
      var sources = [
        pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0),
        pollfd(fd: signals.number, events: Int16(POLLIN), revents: 0),
      ]
      let count = try system { poll(&sources, 2, Int32(clamping: due.millisecondsFromNow)) }
      if sources[0].revents != 0 { return true }
      if count == 0 { return false }
      var signal = devrun_signal()
      while try shim({ devrun_read_signal(signals.number, &signal) }) == 1 {
        if HeldSignals.endings.contains(signal.number) { return false }
      }
    }
  }
}
