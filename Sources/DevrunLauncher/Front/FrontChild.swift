import CLinux
import DevrunSystem
import Glibc

/// The command as another process than its parent sees it: its number may be another process's once it has ended.
struct FrontChild {
  /// How long a command whose keeper has died may take after SIGTERM.
  static let grace: Duration = .seconds(5)

  /// Its process id.
  let process: pid_t
  /// `nil`: it has ended already, or this process may not have one.
  private let descriptor: Descriptor?

  /// The child of the keeper.
  init(_ process: pid_t, of keeper: pid_t) {
    self.process = process
    let descriptor = try? Descriptor(shim { devrun_pidfd_open(process, false) })
    // Only the keeper reaps it. So if that has a child of the number afterwards, the descriptor is of that child.
    self.descriptor = ProcessStatus(of: process)?.parent == keeper ? descriptor : nil
  }

  /// Whether it can tell one of these signals from two: it has a handler, or waits for it. Of the first one of any other it
  /// dies, or nothing happens at all. So it is, too, if it may have died of it, or cannot be looked at.
  func handles(_ signal: Int32) -> Bool {
    guard let status = ProcessStatus(of: process), !status.isEnding,
      let handled = ProcessStatus.handledSignals(of: process)
    else { return true }
    return handled.contains(signal)
  }

  /// Ends it, whose keeper has died: SIGTERM, and SIGKILL if that was of no use for so long.
  ///
  /// - Parameter signals: where a further signal that ends programs is read from, which shortens the time.
  func end(hurriedBy signals: Descriptor) throws(Errno) {
    guard let descriptor else { return }
    for signal in [SIGTERM, SIGKILL] {
      do throws(Errno) {
        try shim { devrun_signal_process(descriptor.number, signal) }
        // A stopped one takes SIGTERM when it continues.
        if signal == SIGTERM { try shim { devrun_signal_process(descriptor.number, SIGCONT) } }
      } catch {
        // It has ended, or is another user's: then it is not this process's to end.
        return
      }
      if try Self.hasEnded(descriptor, within: Self.grace, hurriedBy: signals) { return }
    }
  }

  /// Waits until it or its keeper has ended. Whether the keeper has, and it has not.
  ///
  /// - Parameter keeper: a descriptor of the keeper.
  func isLeft(by keeper: Descriptor) throws(Errno) -> Bool {
    guard let descriptor else { return false }
    var sources = [descriptor, keeper].map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
    try system { poll(&sources, 2, -1) }
    return sources[0].revents == 0
  }

  /// Waits until the process has ended, for so long at most.
  private static func hasEnded(
    _ process: Descriptor, within time: Duration, hurriedBy signals: Descriptor
  ) throws(Errno) -> Bool {
    let due = ContinuousClock.now + time
    while true {
      var sources = [process, signals].map { pollfd(fd: $0.number, events: Int16(POLLIN), revents: 0) }
      let count = try system { poll(&sources, 2, Int32(clamping: due.millisecondsFromNow)) }
      if sources[0].revents != 0 { return true }
      if count == 0 { return false }
      var signal = devrun_signal()
      while try shim({ devrun_read_signal(signals.number, &signal) }) == 1 {
        if [SIGHUP, SIGINT, SIGQUIT, SIGTERM].contains(signal.number) { return false }
      }
    }
  }
}
