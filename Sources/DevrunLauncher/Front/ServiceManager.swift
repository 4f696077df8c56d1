import DevrunCore
import DevrunSystem
import Glibc

/// The service manager (systemd), which signals each process of a service or a scope by its id (systemd.kill(5)).
///
/// It knows processes by their control groups, never by their names. So what the front and another process of its control
/// group have both received of it, all processes of that group have received.
enum ServiceManager {
  /// How long it may take to signal all processes of a control group.
  static let patience: Duration = .milliseconds(100)

  /// Whether a process is one.
  static func isAt(_ process: pid_t) -> Bool {
    process > 0 && read("/proc/\(process)/comm") == Array("systemd\n".utf8)
  }

  /// Whether a process is in the control group of this one.
  static func reaches(_ process: pid_t) -> Bool {
    guard let own = read("/proc/self/cgroup") else { return false }
    return read("/proc/\(process)/cgroup") == own
  }

  /// `nil`: the process is gone, or cannot be looked at.
  private static func read(_ path: String) -> [UInt8]? { try? Descriptor.open(RawString(path), O_RDONLY).readToEnd() }
}
