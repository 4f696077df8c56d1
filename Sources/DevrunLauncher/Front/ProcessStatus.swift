import DevrunCore
import DevrunSystem
import Glibc

/// What /proc/PID/stat tells of a process (proc(5)).
struct ProcessStatus {
  /// The state of its first thread, as ps shows it: T for stopped.
  let state: UInt8
  /// Its parent.
  let parent: pid_t
  /// The kernel's flags of its first thread.
  private let flags: UInt32

  /// Reads it. `nil`: there is no such process, or it cannot be seen from here.
  init?(of process: pid_t) {
    guard let text = try? Descriptor.open(RawString("/proc/\(process)/stat"), O_RDONLY).readToEnd(),
      // The name, in parentheses, may hold anything.
      let name = text.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = text[(name + 1)...].split(separator: UInt8(ascii: " "))
    guard fields.count > 6, let state = fields[0].first, let parent = pid_t(String(decoding: fields[1], as: UTF8.self)),
      let flags = UInt32(String(decoding: fields[6], as: UTF8.self))
    else { return nil }
    self.state = state
    self.parent = parent
    self.flags = flags
  }

  /// The signals that a process has received and not taken. `nil`: there is no such process, or it cannot be seen from here.
  static func pendingSignals(of process: pid_t) -> SignalSet? {
    // Those of its first thread, and those of the process as a whole.
    signals(of: process, in: ["SigPnd:\t", "ShdPnd:\t"])
  }

  /// The signals that a process has a handler for, or waits for (sigwait(3), signalfd(2)), which blocks them. `nil`: there is
  /// no such process, or it cannot be seen from here.
  static func handledSignals(of process: pid_t) -> SignalSet? {
    signals(of: process, in: ["SigCgt:\t", "SigBlk:\t"])
  }

  /// The signals of those lines of /proc/PID/status that begin so.
  private static func signals(of process: pid_t, in beginnings: [String]) -> SignalSet? {
    guard let text = try? Descriptor.open(RawString("/proc/\(process)/status"), O_RDONLY).readToEnd() else {
      return nil
    }
    // Signal N is bit N - 1.
    let bits = String(decoding: text, as: UTF8.self).split(separator: "\n").reduce(UInt64(0)) { bits, line in
      guard let name = beginnings.first(where: { line.hasPrefix($0) }) else { return bits }
      return bits | (UInt64(line.dropFirst(name.count), radix: 16) ?? 0)
    }
    return SignalSet((Int32(1)...64).filter { bits & 1 << UInt64($0 - 1) != 0 })
  }

  /// Whether it runs or could run: it is neither stopped nor has its first thread ended.
  var isContinued: Bool { !"TtZX".utf8.contains(state) }

  /// Whether its first thread uses a processor, waits for one, or for a disk.
  var isRunning: Bool { "RD".utf8.contains(state) }

  /// Whether its first thread is ending or has ended (PF_EXITING of the kernel).
  var isEnding: Bool { flags & 4 != 0 || "ZX".utf8.contains(state) }
}
