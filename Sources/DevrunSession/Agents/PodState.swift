internal import DevrunCore
internal import DevrunKube

/// What the status of an agent's pod says, as far as a session must know.
enum PodState: Hashable, Sendable {
  /// Its container does not run yet; the text says what it waits for, in Kubernetes' words.
  case pending(String)
  /// Its container runs.
  case running
  /// It will not come up by itself.
  case failed(String)
  /// It is being deleted, or its container has ended.
  case ending

  /// Reasons of a waiting container that do not pass by themselves.
  private static let hopeless: Set<String> = [
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError",
  ]

  /// Reads the state of one container of a pod (`core/v1` PodStatus).
  init(pod: KubeObject, container: String) {
    let status = pod.status
    if pod.isTerminating {
      self = .ending
      return
    }
    if status["phase"]?.string == "Failed" {
      self = .failed([status["reason"]?.string, status["message"]?.string].compactMap { $0 }.joined(separator: ": "))
      return
    }
    for other in status["initContainerStatuses"]?.array ?? [] {
      if let why = Self.hopelessWaiting(other) {
        self = .failed("init container \(other["name"]?.string ?? ""): \(why)")
        return
      }
    }
    guard let own = pod.containerStatus(named: container) else {
      self = .pending(pod.message(ofCondition: "PodScheduled", being: "False") ?? "it is not scheduled yet")
      return
    }
    if own["state"]?["running"] != nil {
      self = .running
    } else if let why = Self.hopelessWaiting(own) ?? Self.crash(own) {
      self = .failed(why)
    } else {
      self = .pending(own[path: "state", "waiting", "reason"]?.string ?? "its container is starting")
    }
  }

  private static func hopelessWaiting(_ status: JSONValue) -> String? {
    guard let waiting = status["state"]?["waiting"], let reason = waiting["reason"]?.string, hopeless.contains(reason)
    else { return nil }
    let last = status[path: "lastState", "terminated", "message"]?.string
    return [reason, waiting["message"]?.string, last].compactMap { $0 }.joined(separator: ": ")
  }

  private static func crash(_ status: JSONValue) -> String? {
    guard let ended = status["state"]?["terminated"] else { return nil }
    let code = ended["exitCode"]?.int.map { "exit code \($0)" }
    return [ended["reason"]?.string, code, ended["message"]?.string].compactMap { $0 }.joined(separator: ": ")
  }
}
