internal import DevrunCore
internal import DevrunKube

/// A Deployment's rollout, awaited by a watch.
struct Rollout: Sendable {
  /// The API.
  var client: KubeClient
  /// The Deployment's namespace.
  var namespace: String
  /// The Deployment's name.
  var name: String

  /// Waits until every pod is of the Deployment's present template and available, and no other is left.
  ///
  /// - Parameter generation: the generation that the controller must have seen at least.
  /// - Throws: `SessionError.rolloutStuck` where pods are refused; `KubeError`
  func awaitCompletion(generation: Int) async throws {
    for try await event in client.watch(object: .deployments(in: namespace).named(name)) {
      let deployments: [JSONValue]
      switch event {
      case .snapshot(let all): deployments = all
      case .added(let deployment), .modified(let deployment): deployments = [deployment]
      case .deleted: deployments = []
      }
      guard let deployment = deployments.first else { return }
      switch Self.state(of: deployment, generation: generation) {
      case .complete: return
      case .refused(let why): throw SessionError.rolloutStuck("deployment/\(name)", why: why)
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

  /// The state that a Deployment's status tells, by the rules of `kubectl rollout status`.
  static func state(of deployment: JSONValue, generation: Int) -> State {
    let (spec, status) = (deployment["spec"] ?? [:], deployment["status"] ?? [:])
    guard status["observedGeneration"]?.int ?? 0 >= generation else { return .underWay }
    let wanted = spec["replicas"]?.int ?? 1
    let counts = ["updatedReplicas", "replicas", "availableReplicas"].map { status[$0]?.int ?? 0 }
    if counts.allSatisfy({ $0 == wanted }) { return .complete }
    for condition in status["conditions"]?.array ?? []
    where condition["type"]?.string == "ReplicaFailure" && condition["status"]?.string == "True" {
      return .refused(condition["message"]?.string ?? "pods are refused")
    }
    return .underWay
  }
}
