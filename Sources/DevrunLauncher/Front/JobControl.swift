import Glibc

/// Whether a shell could continue this process's group if it stopped.
///
/// The kernel does not stop an "orphaned" process group for the terminal's sake: one no member of which has its parent in
/// another group of the same session. That parent is the shell, which would continue it. The keeper is such a parent as
/// well, but continues nobody; so what the kernel would have decided without it is decided here.
enum JobControl {
  /// Looks for the shell among the ancestors: the first that is of another group.
  static var isThere: Bool {
    let group = getpgrp()
    let session = getsid(0)
    var ancestor = getppid()
    while getpgid(ancestor) == group {
      guard let status = ProcessStatus(of: ancestor) else { return false }
      ancestor = status.parent
    }
    return getsid(ancestor) == session
  }
}
