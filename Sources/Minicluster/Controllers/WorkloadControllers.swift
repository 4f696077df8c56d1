// The controllers of Deployments and ReplicaSets: they read, let the plans decide, and write.

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Keeps the ReplicaSets of Deployments.
struct DeploymentController: Controller {
  let store: ObjectStore
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "deployment-controller") }

  init(store: ObjectStore) { self.store = store }

  var kinds: [ObjectKind] { [.deployment, .replicaSet, .pod] }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    switch kind {
    case .deployment: return [ControlledName(kind, object)]
    case .replicaSet: return object.controllerName(.deployment).map { [$0] } ?? []
    default:
      // Only a Deployment that is recreated waits for the end of pods.
      guard isGone || object.hasEnded, let set = object.controllerName(.replicaSet)?.object(in: store) else {
        return []
      }
      return set.controllerName(.deployment).map { [$0] } ?? []
    }
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    guard let deployment = name.object(in: store) else { return nil }
    let all = store.list(.replicaSet, in: name.namespace).objects
    let own = all.filter { $0.controller?.uid == deployment.uid }
    let uids = Set(own.compactMap(\.uid))
    let isRecreated = deployment.spec["strategy"]?["type"]?.string == "Recreate"
    let pods = isRecreated ? store.list(.pod, in: name.namespace).objects : []
    let plan = DeploymentPlan(
      DeploymentPlan.Situation(
        deployment: deployment, sets: own, pods: pods.filter { $0.controller?.uid.map(uids.contains) ?? false },
        otherNames: Set(all.map(\.name)).subtracting(own.map(\.name)), now: .now))
    try writer.perform(plan.actions)
    return plan.lookAgainAfter
  }
}

/// Keeps the pods of ReplicaSets.
struct ReplicaSetController: Controller {
  let store: ObjectStore
  private var writer: ControllerWriter { ControllerWriter(store: store, component: "replicaset-controller") }

  init(store: ObjectStore) { self.store = store }

  var kinds: [ObjectKind] { [.replicaSet, .pod] }

  func concerned(by object: KubeObject, of kind: ObjectKind, isGone: Bool) -> [ControlledName] {
    if kind == .replicaSet { return [ControlledName(kind, object)] }
    return object.controllerName(.replicaSet).map { [$0] } ?? []
  }

  func reconcile(_ name: ControlledName) throws(APIFailure) -> TimeInterval? {
    guard let set = name.object(in: store) else { return nil }
    let plan = ReplicaSetPlan(of: set, pods: store.list(.pod, in: name.namespace).objects, now: .now)
    var failure: APIFailure?
    var reason = "FailedCreate"
    do {
      switch plan.change {
      case .create(let count, let pod):
        for _ in 0..<count { try make(pod, of: set) }
      case .delete(let pods):
        reason = "FailedDelete"
        for pod in pods { try delete(pod, of: set) }
      case nil: break
      }
    } catch {
      failure = error
      try writer.report(
        ControllerEvent(
          kind: .replicaSet, object: set, type: "Warning", reason: reason,
          message: "Error \(reason == "FailedCreate" ? "creating" : "deleting"): \(error.status.message)"))
    }
    let words = failure.map { ReplicaSetPlan.Failure(reason: reason, message: $0.status.message) }
    if let changed = plan.withStatus(failure: words) { try writer.update(.replicaSet, changed, .status) }
    if let failure { throw failure }
    return plan.lookAgainAfter
  }

  private func make(_ pod: KubeObject, of set: KubeObject) throws(APIFailure) {
    let made = try store.create(pod, of: .pod, by: ControllerWriter.manager)
    try writer.report(
      ControllerEvent(
        kind: .replicaSet, object: set, reason: "SuccessfulCreate", message: "Created pod: \(made.name)"))
  }

  private func delete(_ pod: KubeObject, of set: KubeObject) throws(APIFailure) {
    try writer.delete(.pod, pod)
    try writer.report(
      ControllerEvent(
        kind: .replicaSet, object: set, reason: "SuccessfulDelete", message: "Deleted pod: \(pod.name)"))
  }
}

extension KubeObject {
  /// The name of the controller that owns this object, if it is of a kind.
  func controllerName(_ kind: ObjectKind) -> ControlledName? {
    guard let controller, controller.kind == kind.kind else { return nil }
    return ControlledName(kind, in: namespace, named: controller.name)
  }
}
