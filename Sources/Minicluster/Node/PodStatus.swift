// A pod's status from the states of its containers, as kubelet computes it
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/).

internal import DevrunCore

/// All that a pod's status is made of.
struct PodStatus: Sendable {
  /// The states of a pod's life.
  enum Phase: String, Sendable {
    case pending = "Pending"
    case running = "Running"
    case succeeded = "Succeeded"
    case failed = "Failed"
  }

  /// When a container that has ended is started again.
  enum RestartPolicy: String, Sendable {
    case always = "Always"
    case onFailure = "OnFailure"
    case never = "Never"

    /// Whether a container starts again after such an end.
    func restarts(after exitCode: Int32) -> Bool {
      switch self {
      case .always: true
      case .onFailure: exitCode != 0
      case .never: false
      }
    }
  }

  /// The init containers, in order.
  var initContainers: [ContainerRecord] = []
  /// The containers.
  var containers: [ContainerRecord] = []
  /// `spec.restartPolicy`
  var restartPolicy = RestartPolicy.always
  /// When the node took the pod on.
  var startTime: WallTime
  /// The node's address.
  var hostIP: String
  /// The pod's address; `nil` before it has one.
  var podIP: String?
  /// `BestEffort`, `Burstable` or `Guaranteed`.
  var qosClass: String
  /// The types of `spec.readinessGates`.
  var readinessGates: [String] = []

  /// Whether all init containers have ended well.
  var isInitialized: Bool { initContainers.allSatisfy(\.countsAsReady) }

  /// The state of the pod's life.
  var phase: Phase {
    if !isInitialized {
      let hasFailed = initContainers.contains { ($0.termination?.exitCode ?? 0) != 0 }
      return hasFailed && restartPolicy == .never ? .failed : .pending
    }
    var (waiting, running, stopped, succeeded) = (0, 0, 0, 0)
    for container in containers {
      switch container.state {
      case .running: running += 1
      case .terminated(let termination):
        stopped += 1
        if termination.exitCode == 0 { succeeded += 1 }
      case .waiting:
        // What waits for its next run has run.
        if container.last != nil { stopped += 1 } else { waiting += 1 }
      }
    }
    if waiting > 0 { return .pending }
    if running > 0 { return .running }
    guard stopped > 0 else { return .pending }
    if restartPolicy == .always { return .running }
    if stopped == succeeded { return .succeeded }
    return restartPolicy == .never ? .failed : .running
  }

  /// The status as JSON.
  ///
  /// - Parameters:
  ///   - previous: the present status, from which the times of conditions and the conditions of others are taken over.
  ///   - now: the time of conditions that change.
  func json(after previous: JSONValue, now: WallTime) -> JSONValue {
    var status = previous
    status["phase"] = .string(phase.rawValue)
    status["startTime"] = .string(startTime.text)
    status["qosClass"] = .string(qosClass)
    status["hostIP"] = .string(hostIP)
    status["hostIPs"] = [["ip": .string(hostIP)]]
    status["podIP"] = podIP.map(JSONValue.string)
    status["podIPs"] = podIP.map { [["ip": .string($0)]] }
    if !initContainers.isEmpty { status["initContainerStatuses"] = .array(initContainers.map(\.json)) }
    status["containerStatuses"] = .array(containers.map(\.json))
    let before = previous["conditions"]?.array ?? []
    let own = [initialized, ready(before), containersReady, Condition(type: "PodScheduled", isTrue: true)]
    let names = Set(own.map(\.type))
    status["conditions"] = .array(
      own.map { $0.json(after: before, now: now) }
        + before.filter { !names.contains($0["type"]?.string ?? "") })
    return status
  }

  private var initialized: Condition {
    let incomplete = initContainers.filter { !$0.countsAsReady }.map(\.name)
    guard incomplete.isEmpty else {
      return Condition(
        type: "Initialized", isTrue: false, reason: "ContainersNotInitialized",
        message: "containers with incomplete status: [\(incomplete.joined(separator: " "))]")
    }
    return Condition(type: "Initialized", isTrue: true, reason: phase == .succeeded ? "PodCompleted" : nil)
  }

  private var containersReady: Condition { readiness(type: "ContainersReady") }

  private func ready(_ conditions: [JSONValue]) -> Condition {
    let condition = readiness(type: "Ready")
    guard condition.isTrue else { return condition }
    let missing = readinessGates.filter { gate in
      !conditions.contains { $0["type"]?.string == gate && $0["status"]?.string == "True" }
    }
    guard let first = missing.first else { return condition }
    return Condition(
      type: "Ready", isTrue: false, reason: "ReadinessGatesNotReady",
      message: "corresponding condition of pod readiness gate \"\(first)\" does not exist.")
  }

  private func readiness(type: String) -> Condition {
    if phase == .succeeded { return Condition(type: type, isTrue: false, reason: "PodCompleted") }
    let unready = containers.filter { !$0.countsAsReady }.map(\.name)
    guard unready.isEmpty else {
      return Condition(
        type: type, isTrue: false, reason: "ContainersNotReady",
        message: "containers with unready status: [\(unready.joined(separator: " "))]")
    }
    return Condition(type: type, isTrue: true)
  }
}

/// A condition of an object (`core/v1` PodCondition).
struct Condition: Sendable, Hashable {
  /// What it is about.
  var type: String
  /// Whether it holds.
  var isTrue: Bool
  /// One word why.
  var reason: String?
  /// The reason for a person.
  var message: String?

  /// The condition as JSON. Its time changes only with its status.
  func json(after previous: [JSONValue], now: WallTime) -> JSONValue {
    let before = previous.first { $0["type"]?.string == type }
    let status = isTrue ? "True" : "False"
    var json: JSONValue = ["type": .string(type), "status": .string(status), "lastProbeTime": .null]
    json["lastTransitionTime"] =
      before?["status"]?.string == status ? before?["lastTransitionTime"] : .string(now.text)
    json["reason"] = reason.map(JSONValue.string)
    json["message"] = message.map(JSONValue.string)
    return json
  }
}
