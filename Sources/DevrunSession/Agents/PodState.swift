internal import DevrunCore
internal import DevrunKube

/// What the status of an agent's pod says, as far as a session must know.
enum PodState: Hashable, Sendable {
  /// Its container does not run yet, or not at the moment; the text says what it waits for, in Kubernetes' words.
  case pending(String)
  /// Its container runs.
  case running
  /// It waits for something that does not pass by itself.
  case hopeless(String)
  /// The pod has failed or ended as a whole, and will not run again: the kubelet rejected or evicted it, or all of its
  /// containers have ended. A workload makes another pod in its place.
  case rejected(String)
  /// It is being deleted.
  case ending

  /// Reads the state of one container of a pod (`core/v1` PodStatus).
  init(pod: KubeObject, container: String) {
    let status = pod.status
    let own = pod.containerStatus(named: container)
    if pod.isTerminating {
      self = .ending
    } else if ["Failed", "Succeeded"].contains(status["phase"]?.string) {
      let words = Self.joined(status["reason"]?.string, status["message"]?.string)
      self = .rejected(words ?? own.flatMap(Self.end) ?? "its containers have ended")
    } else if let own, own["state"]?["running"] != nil {
      self = .running
    } else if let initial = Self.initialization(of: pod) {
      self = initial
    } else if let own {
      self =
        Self.waiting(own) ?? .pending(Self.end(own).map { "its container ended: \($0)" } ?? "its container is starting")
    } else if let message = pod.message(ofCondition: "PodScheduled", being: "False") {
      self = .pending(message.isEmpty ? "it is not scheduled yet" : message)
    } else if let node = pod.spec["nodeName"]?.string, !node.isEmpty {
      self = .pending("node \(node) has not begun with it yet")
    } else {
      self = .pending("it is not scheduled yet")
    }
  }

  /// The state of an init container that keeps the others from starting, `nil` if none does.
  private static func initialization(of pod: KubeObject) -> PodState? {
    let sidecars = Set(
      (pod.spec["initContainers"]?.array ?? []).filter { $0["restartPolicy"]?.string == "Always" }
        .compactMap { $0["name"]?.string })
    for status in pod.status["initContainerStatuses"]?.array ?? [] {
      let name = status["name"]?.string ?? ""
      if status[path: "state", "terminated", "exitCode"]?.int == 0 { continue }
      if status[path: "state", "running"] != nil {
        if sidecars.contains(name), status["started"]?.bool == true { continue }
        return .pending("init container \(name) is running")
      }
      let state = waiting(status) ?? end(status).map { .pending($0) }
      switch state {
      case .pending(let words):
        // The kubelet's word for an init container whose turn has not come: the one before it has more to say.
        if words == "PodInitializing" { continue }
        return .pending("init container \(name): \(words)")
      case .hopeless(let words): return .hopeless("init container \(name): \(words)")
      default: continue
      }
    }
    return nil
  }

  /// What a container waits for, `nil` if it does not wait.
  private static func waiting(_ status: JSONValue) -> PodState? {
    guard let waiting = status["state"]?["waiting"], let reason = waiting["reason"]?.string else { return nil }
    let message = waiting["message"]?.string
    let last = status[path: "lastState", "terminated"].flatMap { joined($0["message"]?.string) }
    let words = joined(reason, message, last) ?? reason
    return isHopeless(reason: reason, message: message ?? "") ? .hopeless(words) : .pending(words)
  }

  /// Whether the kubelet will not get over this by trying again.
  ///
  /// A registry's refusal has no structure in the status, only the registry's words.
  private static func isHopeless(reason: String, message: String) -> Bool {
    switch reason {
    case "InvalidImageName", "ErrImageNeverPull": return true
    case "ErrImagePull", "ImagePullBackOff":
      // The kernel's EACCES for a connection is the network's matter.
      let words = message.lowercased().replacing("connect: permission denied", with: "")
      return ["unauthorized", "denied", "forbidden"].contains { words.contains($0) }
    default: return false
    }
  }

  /// How a container ended, `nil` if it has not.
  private static func end(_ status: JSONValue) -> String? {
    guard let ended = status["state"]?["terminated"] else { return nil }
    let code = ended["exitCode"]?.int.map { "exit code \($0)" }
    return joined(ended["reason"]?.string, code, ended["message"]?.string)
  }

  private static func joined(_ parts: String?...) -> String? {
    let parts = parts.compactMap { $0 }.filter { !$0.isEmpty }
    return parts.isEmpty ? nil : parts.joined(separator: ": ")
  }
}

extension PodState {
  /// What keeps a pod from being ready while one of its containers runs, in Kubernetes' words; `nil` if it is ready, or if
  /// that container does not run.
  static func unreadiness(of pod: KubeObject, container: String) -> String? {
    guard PodState(pod: pod, container: container) == .running, pod.message(ofCondition: "Ready", being: "True") == nil
    else { return nil }
    let others = (pod.status["initContainerStatuses"]?.array ?? []) + pod.containerStatuses
    for status in others where status["name"]?.string != container {
      let name = status["name"]?.string ?? ""
      switch waiting(status) {
      case .pending(let words), .hopeless(let words): return "container \(name): \(words)"
      default: continue
      }
    }
    if let message = pod.message(ofCondition: "ContainersReady", being: "False") {
      return message.isEmpty ? "its containers are not ready" : message
    }
    for gate in (pod.spec["readinessGates"]?.array ?? []).compactMap({ $0["conditionType"]?.string })
    where pod.message(ofCondition: gate, being: "True") == nil {
      return joined("readiness gate \(gate) is not met", words(ofCondition: gate, in: pod))
    }
    return pod.message(ofCondition: "Ready", being: "False").flatMap { joined($0) }
  }

  private static func words(ofCondition type: String, in pod: KubeObject) -> String? {
    let conditions = pod.status["conditions"]?.array ?? []
    return conditions.first { $0["type"]?.string == type }.flatMap {
      joined($0["reason"]?.string, $0["message"]?.string)
    }
  }
}
