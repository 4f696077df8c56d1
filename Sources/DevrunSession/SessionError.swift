public import DevrunCore
public import DevrunSystem

/// The failures that the session itself detects. Failures of the lower modules keep their own types.
public enum SessionError: UserFacingError, Hashable {
  /// No target was named; the candidates are.
  case noTarget(namespace: String, candidates: [String])
  /// The agent's pods do not come up.
  case agentFailed(pod: String, why: String)
  /// No tunnel came up in time.
  case startTimedOut(String, after: Duration, why: [String])
  /// The agent may not listen on ports of the app; `leavesTraffic`: the session goes on without them.
  case portsForbidden([UInt16], leavesTraffic: Bool)
  /// Somebody else removed what brings the target's traffic here.
  case trafficLost(String, by: String?)
  /// The session's log cannot be written.
  case noSessionLog(String, Errno)
  /// A local port that is to stand for a port of the target's pods cannot be listened on.
  case podPortTaken(local: UInt16, remote: UInt16, Errno)
  /// The target has no pods whose localhost could be reached.
  case noPods(String)
  /// Some of what was changed could not be put back.
  case notRestored([String], remedy: String)

  /// The message for the user.
  public var message: ErrorMessage {
    switch self {
    case .noTarget(let namespace, let candidates):
      ErrorMessage(
        "no target: say what to redirect with --target KIND/NAME, or ask for a pod of its own with --new-pod",
        why: Self.listing("in namespace \(namespace) there are", candidates, none: "namespace \(namespace) has none"))
    case .agentFailed(let pod, let why):
      ErrorMessage("the agent does not run in pod/\(pod)", why: why)
    case .startTimedOut(let what, let timeout, let why):
      ErrorMessage(
        "\(what) did not start within \(DurationText.text(timeout))",
        why: why.isEmpty ? nil : why.joined(separator: "\n"),
        remedy: "if it only needs more time: --start-timeout 10m")
    case .portsForbidden(let ports, let leavesTraffic):
      ErrorMessage(
        "the agent may not listen on port \(ports.map(String.init).joined(separator: ", ")) in the container",
        why:
          "the container does not run as root; an app may use such a port by a capability of its own file, which the "
          + "agent does not have",
        remedy: (leavesTraffic ? "" : "leave the traffic where it is, with --take-over never\nor ")
          + "let every program of the pod use these ports (Kubernetes 1.22), by this in the pod template's "
          + "securityContext:\n  sysctls: [{name: net.ipv4.ip_unprivileged_port_start, value: \"0\"}]")
    case .trafficLost(let what, let who):
      ErrorMessage(
        "\(what) is not redirected any more: changed by \(who ?? "somebody else")",
        remedy: "to take its traffic again, pause what changes it and start again")
    case .noSessionLog(let path, let error):
      ErrorMessage("this session has no log: \(path)", why: error.description)
    case .podPortTaken(let local, let remote, let error):
      ErrorMessage(
        "port \(local) of this machine cannot stand for port \(remote) on the pod's localhost", why: error.description,
        remedy: "choose another local port with --pod-port \(remote):LOCAL")
    case .noPods(let what):
      ErrorMessage(
        "\(what) has no pod that runs, so nothing listens on its localhost",
        remedy: "scale it up, or leave --pod-port and pod-ports away")
    case .notRestored(let failures, let remedy):
      ErrorMessage("not everything could be put back", why: failures.joined(separator: "\n"), remedy: remedy)
    }
  }

  private static func listing(_ beginning: String, _ items: [String], none: String) -> String {
    items.isEmpty ? none : beginning + "\n" + items.map { "  " + $0 }.joined(separator: "\n")
  }
}

/// Connecting failed, and so did putting something back.
struct ConnectAndRestoreError: UserFacingError {
  var cause: any Error
  var restoring: SessionError

  var message: ErrorMessage {
    let first = (cause as? any UserFacingError)?.message ?? ErrorMessage("\(cause)")
    let words = [first.why, "and then: \(restoring.message.what)", restoring.message.why].compactMap { $0 }
    return ErrorMessage(first.what, why: words.joined(separator: "\n"), remedy: restoring.message.remedy)
  }
}
