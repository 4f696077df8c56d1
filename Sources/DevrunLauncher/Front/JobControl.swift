import DevrunCore
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
      guard let parent = parent(of: ancestor) else { return false }
      ancestor = parent
    }
    return getsid(ancestor) == session
  }

  /// `nil`: it has ended meanwhile.
  private static func parent(of process: pid_t) -> pid_t? {
    guard let text = try? Descriptor.open(RawString("/proc/\(process)/stat"), O_RDONLY).readToEnd(),
      // The name, in parentheses, may hold anything.
      let name = text.lastIndex(of: UInt8(ascii: ")"))
    else { return nil }
    let fields = text[(name + 1)...].split(separator: UInt8(ascii: " "))
    return fields.count > 1 ? pid_t(String(decoding: fields[1], as: UTF8.self)) : nil
  }
}
