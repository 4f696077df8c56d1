internal import DevrunCore
internal import DevrunKube

extension Table {
  /// Pods.
  static let pods = Table([
    Column("Name"), Column("Ready"), Column("Status"), Column("Restarts"), Column("Age"), Column("IP", isWide: true),
    Column("Node", isWide: true), Column("Nominated Node", isWide: true), Column("Readiness Gates", isWide: true),
  ]) { pod in
    let summary = PodSummary(pod)
    let name = JSONValue.string(pod.name)
    return [
      name, .string("\(summary.ready)/\(pod.containers.count)"), .string(summary.reason), .string(summary.restartText),
      age(of: pod), text(pod.status["podIP"]?.string), text(pod.spec["nodeName"]?.string),
      text(pod.status["nominatedNodeName"]?.string), "<none>",
    ]
  }
}

/// A pod in one line: what `printPod` of Kubernetes makes of its status.
struct PodSummary: Sendable, Hashable {
  /// The number of containers that are ready.
  var ready = 0
  /// How often containers were restarted.
  var restarts = 0
  /// When a container ended last, before it was restarted; empty if none was.
  var lastRestart = ""
  /// `Running`, `Init:0/1`, `CrashLoopBackOff`, `Terminating`, ...
  var reason: String

  /// The summary of a pod.
  init(_ pod: KubeObject) {
    reason = pod.status["reason"]?.string ?? pod.status["phase"]?.string ?? "Unknown"
    if !readInitContainers(of: pod) { readContainers(of: pod) }
    if pod.isTerminating {
      let isLost = pod.status["reason"]?.string == "NodeLost"
      if isLost {
        reason = "Unknown"
      } else if !["Succeeded", "Failed"].contains(phase(of: pod)) {
        reason = "Terminating"
      }
    }
  }

  /// `2 (5m ago)`
  var restartText: String {
    lastRestart.isEmpty ? String(restarts) : "\(restarts) (\(HumanDuration.since(lastRestart)) ago)"
  }

  private func phase(of pod: KubeObject) -> String { pod.status["phase"]?.string ?? "" }

  /// - Returns: whether the pod is still at its init containers.
  private mutating func readInitContainers(of pod: KubeObject) -> Bool {
    let count = pod.spec["initContainers"]?.array?.count ?? 0
    for (index, status) in (pod.status["initContainerStatuses"]?.array ?? []).enumerated() {
      add(status)
      if let end = status[path: "state", "terminated"] {
        if end["exitCode"]?.int == 0 { continue }
        reason = "Init:" + Self.reason(ofEnd: end)
      } else if let waiting = status[path: "state", "waiting", "reason"]?.string, !waiting.isEmpty,
        waiting != "PodInitializing"
      {
        reason = "Init:" + waiting
      } else {
        reason = "Init:\(index)/\(count)"
      }
      return true
    }
    return false
  }

  private mutating func readContainers(of pod: KubeObject) {
    restarts = 0
    lastRestart = ""
    var isRunning = false
    for status in pod.containerStatuses.reversed() {
      add(status)
      if let waiting = status[path: "state", "waiting", "reason"]?.string, !waiting.isEmpty {
        reason = waiting
      } else if let end = status[path: "state", "terminated"] {
        reason = Self.reason(ofEnd: end)
      } else if status["ready"]?.bool == true, status[path: "state", "running"] != nil {
        isRunning = true
        ready += 1
      }
    }
    if reason == "Completed", isRunning {
      reason = pod.message(ofCondition: "Ready", being: "True") != nil ? "Running" : "NotReady"
    }
  }

  private mutating func add(_ status: JSONValue) {
    restarts += status["restartCount"]?.int ?? 0
    if let time = status[path: "lastState", "terminated", "finishedAt"]?.string { lastRestart = max(lastRestart, time) }
  }

  private static func reason(ofEnd end: JSONValue) -> String {
    if let reason = end["reason"]?.string, !reason.isEmpty { return reason }
    if let signal = end["signal"]?.int, signal != 0 { return "Signal:\(signal)" }
    return "ExitCode:\(end["exitCode"]?.int ?? 0)"
  }
}
