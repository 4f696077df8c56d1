import CLinux
import DevrunCore
import DevrunSystem
import Glibc

/// Reaps what the child left behind, and knows whether anything is left.
///
/// The keeper is the subreaper of the child's descendants: one whose parent has died becomes the keeper's child, more
/// precisely that of its first thread. Neither the launched child, whose end its own thread waits for, nor helpers that
/// the keeper runs for itself (credential plugins) may be taken from those who wait for them: the former is known, the
/// latter are in the keeper's own process group, which no descendant of the child is in.
enum OrphanReaper {
  /// Reaps all orphans that have ended.
  static func reap(except child: pid_t) {
    // Where the kernel does not list children, orphans stay in the process table until the keeper ends.
    for process in orphans() ?? [] where process != child { _ = devrun_reap(process) }
  }

  /// Whether none of the launched child's descendants is left, once that child itself was reaped. Every descendant that
  /// lives has an ancestor, or is itself, among the keeper's children.
  static var leftNothing: Bool {
    var information = siginfo_t()
    let isAlone = waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD
    // There may be helpers. The list misses a process if one before it ends while it is read (proc(5)): that one's end is
    // another occasion to look, but the list must not be believed before.
    return isAlone || (orphans() == [] && orphans() == [])
  }

  /// The processes that the launched child has left running, once that child itself was reaped: those whose own parent is
  /// gone, each as in `java (pid 4711)`. None where the kernel does not list children.
  static var leftRunning: [String] {
    (orphans() ?? []).filter(isRunning).map { "\(SocketLink.program(of: $0)) (pid \($0))" }
  }

  /// Whether a process has not ended; one that has, but was not reaped, has the state Z (proc(5)).
  private static func isRunning(_ process: pid_t) -> Bool {
    guard let status = try? Descriptor.open(RawString("/proc/\(process)/stat"), O_RDONLY).readToEnd(),
      let name = status.lastIndex(of: UInt8(ascii: ")")), status.count > name + 2
    else { return false }
    return !"ZX".utf8.contains(status[name + 2])
  }

  /// The children of the first thread but for helpers. `nil`: the kernel does not tell.
  private static func orphans() -> [pid_t]? {
    guard let list = try? Descriptor.open(RawString("/proc/self/task/\(getpid())/children"), O_RDONLY).readToEnd()
    else { return nil }
    let group = getpgrp()
    return list.split(separator: UInt8(ascii: " ")).compactMap { pid_t(String(decoding: $0, as: UTF8.self)) }
      .filter { getpgid($0) != group }
  }
}
