package import DevrunKube

/// A pod stands for the Deployment that owns it by way of a ReplicaSet.
package struct PodTarget: TargetKind {
  package let names = KindNames("pod", short: "po")

  package func workload(_ reference: TargetReference, in namespace: Namespace) async throws -> Workload {
    let pod = try await object(reference, in: namespace)
    guard var workload = try await Self.workload(owning: pod, in: namespace) else {
      let owner = pod.controller.map { ": it belongs to \($0.kind.lowercased())/\($0.name)" } ?? ""
      throw WorkloadError.unsupportedTarget("\(reference)", why: "no Deployment owns it\(owner)")
    }
    workload.namedBy = "\(reference)"
    return workload
  }

  /// The Deployment that owns a pod by way of a ReplicaSet.
  static func workload(owning pod: KubeObject, in namespace: Namespace) async throws -> Workload? {
    guard let owner = pod.controller, owner.kind == "ReplicaSet" else { return nil }
    let replicaSet = try await namespace.client.get(namespace.replicaSets.named(owner.name))
    guard let deployment = replicaSet.controller, deployment.kind == "Deployment" else { return nil }
    return Workload(object: try await namespace.client.get(namespace.deployments.named(deployment.name)))
  }
}
