import CLinux
import DevrunPlan
import DevrunSystem

/// The stages between fork and exec, in their order.
public enum LaunchStage: UInt32, Sendable, Hashable, CustomStringConvertible {
  /// Joining the process group of the shell's job.
  case processGroup = 1
  /// Handing over to the program that has the capability.
  case helper
  /// Making a user namespace.
  case userNamespace
  /// Giving up the change of groups in it.
  case setgroups
  /// Mapping the user into it.
  case userMap
  /// Mapping the group into it.
  case groupMap
  /// Making a mount namespace.
  case mountNamespace
  /// Detaching its mounts from the machine's.
  case propagation
  /// Mounting in it.
  case mount
  /// Going to the working directory.
  case workingDirectory
  /// Giving up the gain of privileges by exec.
  case noNewPrivileges
  /// Installing the seccomp filter.
  case filter
  /// Handing its listener over.
  case listener
  /// Restoring the limits.
  case limits
  /// Closing descriptors.
  case descriptors
  /// Executing the program.
  case execution
  /// Making the one connection by which a launch is tried.
  case connection

  /// What was being done.
  public var description: String {
    switch self {
    case .processGroup: "joining the job's process group"
    case .helper: "handing over to devrun-exec"
    case .userNamespace: "making a user namespace"
    case .setgroups: "giving up the change of groups in a user namespace"
    case .userMap: "mapping the user into a user namespace"
    case .groupMap: "mapping the group into a user namespace"
    case .mountNamespace: "making a mount namespace"
    case .propagation: "detaching the mounts of a mount namespace"
    case .mount: "mounting in a mount namespace"
    case .workingDirectory: "going to the working directory"
    case .noNewPrivileges: "giving up the gain of privileges"
    case .filter: "installing the filter for connections"
    case .listener: "handing over the filter's listener"
    case .limits: "restoring the limit of open files"
    case .descriptors: "closing descriptors"
    case .execution: "executing the program"
    case .connection: "redirecting a connection, to see whether that works here"
    }
  }

  /// What can be done about it.
  ///
  /// - Parameter isolation: what was being tried; `nil`: none.
  func remedy(for error: Errno, _ isolation: Isolation? = nil) -> String? {
    switch (self, error) {
    case (.helper, .protocolError):
      "devrun-exec is of another version: install both of one build. Or choose `--isolation user`."
    case (.helper, _):
      "It must be executable by this user, and of this machine's architecture. Or choose `--isolation user`."
    case (.userNamespace, .noSpace):
      "The limit of user namespaces is reached or 0: `sysctl user.max_user_namespaces`. "
        + "Or choose `--isolation trap`."
    case (.userNamespace, _):
      "User namespaces are forbidden here: by `sysctl kernel.unprivileged_userns_clone=0`, by a container's seccomp "
        + "profile, or in a chroot. Allow them, or choose `--isolation trap`."
    case (.propagation, _) where isolation == .mount, (.mount, .accessDenied) where isolation == .mount,
      (.mount, .notPermitted) where isolation == .mount:
      "A security module or a container's profile forbids mounts even to root, as docker's does. Choose "
        + "`--isolation trap`."
    case (.setgroups, _), (.userMap, _), (.groupMap, _), (.propagation, _), (.mount, .accessDenied),
      (.mount, .notPermitted):
      "A security module restricts user namespaces, as AppArmor does on Ubuntu 23.10 and later. Load devrun's profile "
        + "(`apparmor_parser -r /etc/apparmor.d/devrun`, which `make install` puts there), or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`, or choose `--isolation trap`."
    case (.mountNamespace, .noSpace):
      "The limit of mount namespaces is reached or 0: `sysctl user.max_mnt_namespaces`. Or choose `--isolation trap`."
    case (.mountNamespace, _):
      "This takes CAP_SYS_ADMIN, which devrun-exec gives to all users once `make install-capability` was run as root. Or "
        + "choose `--isolation user` or `--isolation trap`."
    case (.mount, .noSpace):
      "The limit of mounts is reached: `sysctl fs.mount-max`. Or choose `--isolation trap`."
    case (.filter, .busy):
      "This shell runs under another devrun already, or under another program that answers for its system calls. "
        + "Start devrun outside of it."
    case (.filter, .noSuchCall), (.filter, .invalidArgument):
      "The kernel lacks seccomp's user notification, which came with Linux 5.0; devrun needs 5.9."
    case (.filter, _):
      "A container's seccomp profile may forbid it: allow the call `seccomp` there (docker run --security-opt "
        + "seccomp=unconfined). Without it no connection can be redirected."
    case (.connection, _):
      "A container's seccomp profile may forbid what this takes (process_vm_readv): start the "
        + "container with --cap-add SYS_PTRACE or --security-opt seccomp=unconfined. Or a security module forbids it: "
        + "`sysctl kernel.yama.ptrace_scope` must be 0 or 1."
    default:
      nil
    }
  }
}

extension LaunchStage {
  /// The stage that the forked child told.
  init(_ stage: devrun_stage) { self = LaunchStage(rawValue: stage.rawValue) ?? .execution }

  /// Whether this is part of isolation, so that another isolation may succeed.
  var isIsolation: Bool {
    rawValue > LaunchStage.processGroup.rawValue && rawValue <= LaunchStage.noNewPrivileges.rawValue
  }
}
