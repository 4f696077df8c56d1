internal import DevrunCore
package import DevrunKube

/// A Deployment's rollout, awaited by a watch.
package struct Rollout: Sendable {
  /// The Deployment's namespace.
  var namespace: Namespace
  /// The Deployment's name.
  var name: String

  /// The rollout of a Deployment.
  package init(of name: String, in namespace: Namespace) {
    self.namespace = namespace
    self.name = name
  }

  /// Waits until every pod is of the Deployment's present template and available, and no other is left.
  ///
  /// - Parameter generation: the generation that the controller must have seen at least.
  /// - Throws: `WorkloadError.rolloutStuck` if pods are refused; `KubeError`
  package func awaitCompletion(generation: Int) async throws {
    for try await event in namespace.client.watch(object: namespace.deployments.named(name)) {
      let deployments: [KubeObject]
      switch event {
      case .snapshot(let all): deployments = all
      case .added(let deployment), .modified(let deployment): deployments = [deployment]
      case .deleted: deployments = []
      }
      guard let deployment = deployments.first else { return }
      switch Self.state(of: deployment, generation: generation) {
      case .complete: return
      case .refused(let why): throw WorkloadError.rolloutStuck("deployment/\(name)", why: why)
      case .underWay: continue
      }
    }
  }

  /// How far a rollout is.
  enum State: Hashable {
    case underWay
    case complete
    /// The API server refuses its pods: a quota, a policy. The text is its own.
    case refused(String)
  }

  /// The state that a Deployment's status shows, by the rules of `kubectl rollout status`.
  static func state(of deployment: KubeObject, generation: Int) -> State {
    let status = deployment.status
    guard status["observedGeneration"]?.int ?? 0 >= generation else { return .underWay }
    let wanted = deployment.spec["replicas"]?.int ?? 1
    let counts = ["updatedReplicas", "replicas", "availableReplicas"].map { status[$0]?.int ?? 0 }
    if counts.allSatisfy({ $0 == wanted }) { return .complete }
    guard let why = deployment.message(ofCondition: "ReplicaFailure", being: "True") else { return .underWay }
    return .refused(why.isEmpty ? "pods are refused" : why)
  }
}
