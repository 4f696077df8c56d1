import CLinux
import DevrunCore
import DevrunSystem
import Glibc

/// What devrun was started with and must hand on to the child as it was.
struct InheritedState: Sendable {
  /// The signals that were blocked.
  var blockedSignals: SignalSet
  /// The signals that were ignored: SIGHUP under nohup, SIGINT in a shell's background job.
  var ignoredSignals: SignalSet
  /// The open descriptors, in rising order.
  var descriptors: [Int32]
  /// The limit of open descriptors.
  var descriptorLimit: rlimit
  /// The working directory, if it still has a path.
  var workingDirectory: RawString?

  /// Takes it from this process, which must have one thread only and have opened nothing without close-on-exec.
  ///
  /// A standard stream that is closed is filled with /dev/null for devrun itself, lest a socket gets its number; for
  /// the child it stays closed.
  static func capture() throws(Errno) -> InheritedState {
    try fillStandardStreams()
    var limit = rlimit()
    try system { getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) }
    return InheritedState(
      blockedSignals: try SignalSet.blocked,
      ignoredSignals: SignalSet((1...64 as ClosedRange<Int32>).filter { devrun_is_ignored($0) }),
      descriptors: try openDescriptors(), descriptorLimit: limit, workingDirectory: currentDirectory())
  }

  /// Whether devrun was started with the signal ignored.
  func ignores(_ signal: Int32) -> Bool { ignoredSignals.contains(signal) }

  /// The descriptors that exec hands on.
  private static func openDescriptors() throws(Errno) -> [Int32] {
    let names = try Directory.entries(of: "/proc/self/fd")
    return names.compactMap { Int32($0.description) }
      .filter { number in
        // The one that the listing itself used is closed by now.
        let flags = fcntl(number, F_GETFD)
        return flags >= 0 && flags & FD_CLOEXEC == 0
      }
      .sorted()
  }

  private static func fillStandardStreams() throws(Errno) {
    for number in 0...2 as ClosedRange<Int32> where fcntl(number, F_GETFD) < 0 {
      // The lowest free number is taken, and all below are in use.
      try system { open("/dev/null", O_RDWR | O_CLOEXEC) }
    }
  }

  private static func currentDirectory() -> RawString? {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    // Fails when the directory was removed or cannot be seen: the child is then left where it is.
    guard let path = getcwd(&buffer, buffer.count) else { return nil }
    return RawString(cString: path)
  }
}
