import DevrunCore
import DevrunSystem
import Glibc

/// The service manager (systemd), which signals each process of a service or a scope by its id (systemd.kill(5)).
///
/// It knows processes by their control groups, never by their names. So what the front and another process of its control
/// group have both received of it, all processes of that group have received.
enum ServiceManager {
  /// Whether a process is one.
  static func isAt(_ process: pid_t) -> Bool {
    process > 0 && read("/proc/\(process)/comm") == Array("systemd\n".utf8)
  }

  /// Whether a process is in the control group of this one. `nil`: it is ending or gone, and so in none any more.
  static func reaches(_ process: pid_t) -> Bool? {
    guard let own = read("/proc/self/cgroup"), let other = read("/proc/\(process)/cgroup"),
      // Afterwards: the kernel shows no true group of a process from the moment on when that begins to end.
      let status = ProcessStatus(of: process), !status.isEnding
    else { return nil }
    return own == other
  }

  /// `nil`: the process is gone, or cannot be looked at.
  private static func read(_ path: String) -> [UInt8]? { try? Descriptor.open(RawString(path), O_RDONLY).readToEnd() }
}
