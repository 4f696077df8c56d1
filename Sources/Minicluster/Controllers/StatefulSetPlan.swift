// What a StatefulSet's controller does next, as a function of what there is: pods with numbers as names, made one after
// another and removed the other way round (https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/).
// Volumes of their own and updates of single revisions are not there: a changed template replaces pods from the last one
// on.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// One step of a StatefulSet's controller.
struct StatefulSetPlan: Sendable {
  static let revisionLabel = "controller-revision-hash"

  private let set: KubeObject
  /// Its pods by number, those on their way out included.
  private let pods: [Int: KubeObject]

  /// The name of the present template's revision.
  let revision: String

  /// The step for a StatefulSet.
  ///
  /// - Parameter pods: the pods of its namespace.
  init(of set: KubeObject, pods: [KubeObject]) {
    self.set = set
    revision = "\(set.name)-\(PodTemplate.hash(of: set.template, collisions: 0))"
    let own = pods.filter { $0.controller?.uid == set.uid && set.uid != nil }
    self.pods = Dictionary(
      own.compactMap { pod in Self.number(of: pod, in: set).map { ($0, pod) } }, uniquingKeysWith: { $1 })
  }

  private static func number(of pod: KubeObject, in set: KubeObject) -> Int? {
    guard pod.name.hasPrefix(set.name + "-") else { return nil }
    return Int(pod.name.dropFirst(set.name.count + 1))
  }

  /// A change of the pods.
  enum Change: Sendable, Hashable {
    case create(KubeObject)
    case delete(KubeObject)
  }

  /// What is to change; empty if nothing is, or something is waited for.
  var changes: [Change] {
    guard !set.isTerminating else { return [] }
    let isParallel = set.spec["podManagementPolicy"]?.string == "Parallel"
    let wanted = 0..<set.desiredReplicas
    var changes: [Change] = []
    for number in wanted {
      guard let pod = pods[number] else {
        changes.append(.create(self.pod(number)))
        if isParallel { continue }
        return changes
      }
      if pod.hasEnded, !pod.isTerminating {
        changes.append(.delete(pod))
        if !isParallel { return changes }
      } else if !isParallel, pod.isTerminating || !pod.hasCondition("Ready") {
        // The next one waits for this one. One of an older template that never gets ready is replaced below.
        if pod.isTerminating || isCurrent(pod) { return changes }
      }
    }
    for number in pods.keys.filter({ !wanted.contains($0) }).sorted(by: >) {
      guard let pod = pods[number] else { continue }
      if !pod.isTerminating { changes.append(.delete(pod)) }
      if !isParallel { return changes }
    }
    guard changes.isEmpty, set.spec["updateStrategy"]?["type"]?.string ?? "RollingUpdate" == "RollingUpdate" else {
      return changes
    }
    for number in wanted.reversed() {
      guard let pod = pods[number] else { continue }
      if !isCurrent(pod) { return pod.isTerminating ? [] : [.delete(pod)] }
      if pod.isTerminating || !pod.hasCondition("Ready") { return [] }
    }
    return []
  }

  private func isCurrent(_ pod: KubeObject) -> Bool { pod.labels[Self.revisionLabel] == revision }

  private func pod(_ number: Int) -> KubeObject {
    let name = "\(set.name)-\(number)"
    var pod = set.template
    pod.json["apiVersion"] = "v1"
    pod.json["kind"] = "Pod"
    var metadata: JSONValue = ["name": .string(name)]
    metadata["namespace"] = set.namespace.map(JSONValue.string)
    for field in ["annotations", "finalizers"] { metadata[field] = set.template.metadata[field] }
    pod.metadata = metadata
    pod.labels = set.template.labels.merging(
      [
        "statefulset.kubernetes.io/pod-name": name, "apps.kubernetes.io/pod-index": String(number),
        Self.revisionLabel: revision,
      ]
    ) { $1 }
    pod.setOwner(set.controllerReference)
    pod.spec["hostname"] = .string(name)
    pod.spec["subdomain"] = set.spec["serviceName"]
    return pod
  }

  /// The StatefulSet with the status that it should have. `nil` if it has it.
  var withStatus: KubeObject? {
    var fresh = set
    let live = pods.values.filter { !$0.hasEnded && !$0.isTerminating }
    let updated = live.filter(isCurrent)
    let ready = live.count { $0.hasCondition("Ready") }
    let isUpdated = updated.count == live.count
    fresh.setStatus("replicas", .int(Int64(live.count)))
    let counts = [
      "readyReplicas": ready, "updatedReplicas": updated.count,
      "currentReplicas": isUpdated ? live.count : live.count - updated.count,
    ]
    for (name, count) in counts { fresh.setStatus(name, count == 0 ? nil : .int(Int64(count))) }
    fresh.setStatus("availableReplicas", .int(Int64(ready)))
    fresh.setStatus("collisionCount", 0)
    fresh.setStatus("observedGeneration", .int(Int64(set.generation)))
    fresh.setStatus("updateRevision", .string(revision))
    if isUpdated || set.status["currentRevision"] == nil { fresh.setStatus("currentRevision", .string(revision)) }
    return fresh == set ? nil : fresh
  }
}

/// Keeps the pods of StatefulSets.
struct StatefulSetController: Controller {
  let store: ObjectStore
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "statefulset-controller") }

  init(store: ObjectStore) { self.store = store }

  var kinds: [ObjectKind] { [.statefulSet, .pod] }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    if kind == .statefulSet { return [ControlledName(kind, object)] }
    return object.controllerName(.statefulSet).map { [$0] } ?? []
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    guard let set = name.object(in: store) else { return nil }
    let plan = StatefulSetPlan(of: set, pods: store.list(.pod, in: name.namespace).objects)
    for change in plan.changes {
      let (reason, words): (String, String)
      switch change {
      case .create(let pod):
        try store.create(pod, of: .pod, by: ControllerWriter.manager)
        (reason, words) = ("SuccessfulCreate", "create Pod \(pod.name) in StatefulSet \(set.name) successful")
      case .delete(let pod):
        try writer.delete(.pod, pod)
        (reason, words) = ("SuccessfulDelete", "delete Pod \(pod.name) in StatefulSet \(set.name) successful")
      }
      try writer.report(ControllerEvent(kind: .statefulSet, object: set, reason: reason, message: words))
    }
    if let changed = plan.withStatus { try writer.update(.statefulSet, changed, .status) }
    return nil
  }
}
