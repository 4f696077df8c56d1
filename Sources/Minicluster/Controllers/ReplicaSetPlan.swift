// What a ReplicaSet's controller does next, as a function of what there is: pods that are missing or too many, and the
// status. The order in which pods go is that of Kubernetes (`pkg/controller`, ActivePodsWithRanks): what serves least
// goes first.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// One step of a ReplicaSet's controller.
struct ReplicaSetPlan: Sendable {
  /// The ReplicaSet.
  let set: KubeObject
  /// Its pods that are neither ended nor on their way out.
  let active: [KubeObject]
  private let now: Date

  /// The step for a ReplicaSet.
  ///
  /// - Parameter pods: the pods of its namespace.
  init(of set: KubeObject, pods: [KubeObject], now: Date) {
    let selector = LabelMatch(selector: set.spec["selector"] ?? [:])
    self.set = set
    self.now = now
    active = pods.filter {
      $0.controller?.uid == set.uid && set.uid != nil && $0.isActivePod && selector.matches($0.labels)
    }
  }

  /// A change of the number of pods.
  enum Change: Sendable, Hashable {
    /// Makes as many pods of the template.
    case create(Int, KubeObject)
    /// Deletes pods.
    case delete([KubeObject])
  }

  /// What is to change; `nil` if nothing is.
  var change: Change? {
    let surplus = active.count - set.desiredReplicas
    guard !set.isTerminating, surplus != 0 else { return nil }
    guard surplus > 0 else { return .create(-surplus, pod) }
    return .delete(Array(active.sorted { goesFirst($0, $1) }.prefix(surplus)))
  }

  /// A pod of the template. The store finds its name.
  private var pod: KubeObject {
    var pod = set.template
    pod.json["apiVersion"] = "v1"
    pod.json["kind"] = "Pod"
    var metadata: JSONValue = ["generateName": .string("\(set.name)-")]
    metadata["namespace"] = set.namespace.map(JSONValue.string)
    for name in ["labels", "annotations", "finalizers"] { metadata[name] = set.template.metadata[name] }
    pod.metadata = metadata
    pod.setOwner(set.controllerReference)
    return pod
  }

  // MARK: The order of deletion

  private func goesFirst(_ left: KubeObject, _ right: KubeObject) -> Bool {
    let pair = (Self.rank(left), Self.rank(right))
    guard pair.0 == pair.1 else { return pair.0.lexicographicallyPrecedes(pair.1) }
    let ready = (left.readySince, right.readySince)
    guard ready.0 == ready.1 else { return ready.0 > ready.1 }
    let restarts = (left.restarts, right.restarts)
    guard restarts.0 == restarts.1 else { return restarts.0 > restarts.1 }
    guard left.creationTimestamp == right.creationTimestamp else {
      return left.creationTimestamp > right.creationTimestamp
    }
    // The newer one of the same second.
    return left.version > right.version
  }

  /// What counts before times do: on a node, started, ready, and the cost that somebody has set.
  private static func rank(_ pod: KubeObject) -> [Int] {
    let phase = ["Pending": 0, "Unknown": 1, "Running": 2][pod.status["phase"]?.string ?? "Pending"] ?? 0
    let isOnNode = pod.spec["nodeName"]?.string?.isEmpty == false
    let cost = pod.annotations["controller.kubernetes.io/pod-deletion-cost"].flatMap { Int($0) } ?? 0
    return [isOnNode ? 1 : 0, phase, pod.hasCondition("Ready") ? 1 : 0, cost]
  }

  // MARK: The status

  /// The ReplicaSet with the status that it should have. `nil` if it has it.
  ///
  /// - Parameter failure: why pods could not be made or deleted.
  func withStatus(failure: Failure?) -> KubeObject? {
    var fresh = set
    let template = set.template.labels
    let counts = [
      "replicas": active.count,
      "fullyLabeledReplicas": active.count { LabelMatch(labels: template).matches($0.labels) },
      "readyReplicas": active.count { $0.hasCondition("Ready") },
      "availableReplicas": available,
      "observedGeneration": set.generation,
    ]
    for (name, count) in counts {
      fresh.setStatus(name, count == 0 && name != "replicas" ? nil : .int(Int64(count)))
    }
    if let failure {
      if set.condition("ReplicaFailure") == nil {
        fresh.set(
          condition: "ReplicaFailure",
          StatusCondition("ReplicaFailure", "True", failure.reason, failure.message, since: now))
      }
    } else {
      fresh.set(condition: "ReplicaFailure", nil)
    }
    return fresh == set ? nil : fresh
  }

  /// Why pods could not be made or deleted.
  struct Failure: Sendable, Hashable {
    /// `FailedCreate` or `FailedDelete`
    var reason: String
    /// The API's words.
    var message: String
  }

  private var minimum: TimeInterval { TimeInterval(set.spec["minReadySeconds"]?.int ?? 0) }

  private var available: Int {
    active.count { pod in
      pod.hasCondition("Ready") && (minimum == 0 || now.timeIntervalSince(pod.readySince) >= minimum)
    }
  }

  /// After how many seconds the next pod is available that is ready now. `nil` if there is none.
  var lookAgainAfter: TimeInterval? {
    guard minimum > 0 else { return nil }
    return active.filter { $0.hasCondition("Ready") }
      .map { minimum - now.timeIntervalSince($0.readySince) }.filter { $0 > 0 }.min()
  }
}

extension KubeObject {
  /// Since when a pod is ready; the end of time if it is not.
  fileprivate var readySince: Date {
    guard let ready = condition("Ready"), ready.value == "True" else { return .distantFuture }
    return ready.transition ?? .distantPast
  }

  fileprivate var restarts: Int { containerStatuses.map { $0["restartCount"]?.int ?? 0 }.max() ?? 0 }
  fileprivate var version: Int { resourceVersion.flatMap { Int($0) } ?? 0 }
}
