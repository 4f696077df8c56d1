package import DevrunCore
package import DevrunSystem
internal import Glibc

/// Why there can be no node on this machine.
package enum PlaceError: UserFacingError, Hashable {
  /// There is no `ip`.
  case noProgram
  /// The machine refused the namespaces.
  case refused(Refusal)

  /// What the machine has refused.
  package struct Refusal: Sendable, Hashable {
    /// The error of the step.
    package var error: Errno
    /// Whether a user namespace was asked for.
    package var byUser: Bool
    /// How the machine is set.
    package var settings: NamespaceSettings

    /// A refusal of the three.
    package init(error: Errno, byUser: Bool, settings: NamespaceSettings) {
      self.error = error
      self.byUser = byUser
      self.settings = settings
    }
  }

  /// The message for the user.
  package var message: ErrorMessage {
    switch self {
    case .noProgram:
      ErrorMessage(
        "the cluster's network needs the program `ip`, which is not here",
        remedy: "Install iproute2 (on Debian and Ubuntu: apt-get install iproute2).")
    case .refused(let refusal):
      ErrorMessage(
        "this machine allows no cluster: its node needs \(refusal.byUser ? "user, " : "")network, mount and process "
          + "namespaces of its own",
        why: refusal.why, remedy: refusal.remedy)
    }
  }
}

/// The settings of a machine that decide who may make namespaces. `nil`: the machine does not have the setting.
package struct NamespaceSettings: Sendable, Hashable {
  /// `kernel.unprivileged_userns_clone` (Debian, and kernels of its kind).
  package var unprivilegedUserNamespaces: Int?
  /// `kernel.apparmor_restrict_unprivileged_userns` (Ubuntu from 23.10 on).
  package var appArmorRestriction: Int?
  /// `user.max_user_namespaces`.
  package var mostUserNamespaces: Int?
  /// Whether system calls of this process are filtered, as in most containers.
  package var isFiltered = false
  /// Whether a part of /proc is hidden, as in most containers, so that the kernel allows no other one.
  package var hidesProcesses = false

  /// The settings of a machine that has none of them.
  package init() {}

  /// This machine's.
  package static var current: NamespaceSettings {
    var settings = NamespaceSettings()
    settings.unprivilegedUserNamespaces = number(in: "/proc/sys/kernel/unprivileged_userns_clone")
    settings.appArmorRestriction = number(in: "/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
    settings.mostUserNamespaces = number(in: "/proc/sys/user/max_user_namespaces")
    settings.isFiltered = text(of: "/proc/self/status").split(separator: "\n")
      .contains { $0.hasPrefix("Seccomp:") && $0.hasSuffix("2") }
    return settings
  }

  private static func number(in path: RawString) -> Int? {
    Int(text(of: path).split(separator: "\n").first ?? "")
  }

  /// The text of a file; empty if the machine does not have it, or shows it to others only.
  private static func text(of path: RawString) -> String {
    guard let bytes = try? Descriptor.open(path, O_RDONLY).readToEnd(limit: 1 << 16) else { return "" }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension PlaceError.Refusal {
  fileprivate var obstacle: (why: String, remedy: String)? {
    if byUser, settings.unprivilegedUserNamespaces == 0 {
      return (
        "kernel.unprivileged_userns_clone is 0, so only root may make user namespaces",
        "Run this as root, or allow them: sudo sysctl kernel.unprivileged_userns_clone=1"
      )
    }
    if byUser, let most = settings.mostUserNamespaces, most == 0 || error == .noSpace {
      return (
        "user.max_user_namespaces is \(most)",
        "Run this as root, or allow more: sudo sysctl user.max_user_namespaces=15000"
      )
    }
    if byUser, settings.appArmorRestriction == 1 {
      return (
        "kernel.apparmor_restrict_unprivileged_userns is 1, so AppArmor takes the rights in a user namespace away",
        "Run this as root, or lift it: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0"
      )
    }
    if settings.hidesProcesses {
      return (
        "a part of /proc is hidden, as it is in most containers, so no other /proc can be mounted",
        "Run this outside of the container, or start the container with --privileged or "
          + "--security-opt systempaths=unconfined."
      )
    }
    if settings.isFiltered {
      return (
        "the system calls of this process are filtered, as they are in most containers",
        "Run this outside of the container, or start the container with --privileged or "
          + "--security-opt seccomp=unconfined."
      )
    }
    return nil
  }

  fileprivate var why: String { [error.description, obstacle?.why].compactMap { $0 }.joined(separator: "; ") }

  fileprivate var remedy: String {
    obstacle?.remedy ?? (byUser ? "Run this as root, or use a cluster that you have." : "Use a cluster that you have.")
  }
}
