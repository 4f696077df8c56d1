import CLinux
import DevrunCore
import Glibc

/// Reaps what the child left behind.
///
/// The keeper is the subreaper of the child's descendants: one whose parent has died becomes the keeper's child, more
/// precisely that of its first thread. Neither the launched child, whose end its own thread waits for, nor helpers that
/// the keeper runs for itself (credential plugins) may be taken from those who wait for them: the former is known, the
/// latter are in the keeper's own process group, which no descendant of the child is in.
enum OrphanReaper {
  /// Reaps all orphans that have ended.
  static func reap(except child: pid_t?) {
    let own = getpid()
    let group = getpgrp()
    // Where the kernel does not list children, orphans stay in the process table until the keeper ends.
    guard let list = try? Descriptor.open(RawString("/proc/self/task/\(own)/children"), O_RDONLY).readToEnd() else {
      return
    }
    for text in list.split(separator: UInt8(ascii: " ")) {
      guard let process = pid_t(String(decoding: text, as: UTF8.self)), process != child, getpgid(process) != group
      else { continue }
      _ = devrun_reap(process)
    }
  }
}
