package import DevrunKube

/// A right that a session uses: a verb on a resource of its namespace.
package struct Right: Sendable, Hashable {
  /// The part of a session that uses a right.
  package enum Part: String, Sendable, Hashable, CaseIterable {
    /// The session pod: the environment, the volumes and the way out.
    case sessionPod
    /// The change of a Deployment, and what puts it back at the end of the session.
    case replace
    /// `devrun restore`.
    case restore
  }

  /// The verb, as RBAC names it.
  package var verb: String
  /// The API group; empty for the core group.
  package var group: String
  /// The resource, with its subresource after a slash.
  package var resource: String
  /// The parts that use it.
  package var parts: Set<Part>
  /// What it is used for: a phrase.
  package var why: String
  /// Whether requests name the Deployment, so that a right on this one object suffices.
  package var isOnDeployment = false
  /// Whether a session goes on without it, with less, or needs it only for some targets. It is not asked for beforehand.
  package var isOptional = false

  /// Whether the resource is in no namespace.
  package var isOfCluster: Bool { group.isEmpty && ["namespaces", "nodes"].contains(resource) }

  /// `patch deployments`
  package var description: String { "\(verb) \(resource)" }

  func path(deployment: String?, in namespace: String) -> ResourcePath {
    let parts = resource.split(separator: "/").map(String.init)
    return ResourcePath(
      group: group, version: "v1", resource: parts[0], namespace: isOfCluster ? nil : namespace,
      name: isOnDeployment ? deployment : nil, subresource: parts.count > 1 ? parts[1] : nil)
  }
}

extension Right {
  /// All rights that sessions use.
  package static let all: [Right] =
    rights(["list"], "", "services", [.sessionPod], "the names and addresses that the command reaches")
    + rights(["create", "delete", "list", "watch"], "", "pods", [.sessionPod], "the session pod")
    // Which of the two a WebSocket upgrade takes depends on the cluster's version: `create` from 1.35 on.
    + rights(["get", "create"], "", "pods/portforward", [.sessionPod], "the tunnel to the agents")
    + rights(["create", "delete"], "", "configmaps", [.sessionPod], "the ConfigMaps that carry the agent")
    + rights(["list", "watch"], "", "pods", [.replace], "the agents in the Deployment's pods")
    + rights(
      ["get", "list", "watch", "patch"], "apps", "deployments", [.replace, .restore],
      "the change of the pod template, the watch over it and its restore", isOnDeployment: true)
    + rights(
      ["list", "patch", "delete"], "apps", "replicasets", [.replace, .restore],
      "revisions, and the agents' ReplicaSets at the end")
    + rights(
      ["create", "list", "get", "delete"], "", "configmaps", [.replace, .restore],
      "the record of the original while it is put back")
    + rights(["watch"], "", "configmaps", [.replace], "waiting for the restore of another session", isOptional: true)
    + rights(["list", "delete"], "", "pods", [.restore], "session pods that a killed run left", isOptional: true)
    + rights(["list"], "apps", "deployments", [.restore], "a restore of everything in a namespace", isOptional: true)
    + ofTargets + ofSurroundings + ofView
    + rights(["get"], "", "pods/log", [.sessionPod], "the agents' last words in the session's log", isOptional: true)
    + rights(
      ["list"], "", "events", [.sessionPod], "why a pod does not start, as the kubelet reports it", isOptional: true)

  /// Each kind of target uses some of them.
  private static let ofTargets: [Right] =
    rights(["get"], "apps", "deployments", [.sessionPod], "the pod template of the target", isOptional: true)
    + rights(
      ["get"], "apps", "replicasets", [.sessionPod], "the Deployment behind a pod or a Service", isOptional: true)
    + rights(["get"], "", "pods", [.sessionPod], "a target that is named by a pod", isOptional: true)
    + rights(["get"], "", "services", [.sessionPod], "a target that is named by a Service", isOptional: true)

  /// The session pod fits in with what is in the namespace.
  private static let ofSurroundings: [Right] =
    rights(
      ["list"], "apps", "deployments", [.sessionPod],
      "the labels that the session pod must not have, and the targets that there are", isOptional: true)
    + ["replicasets", "statefulsets", "daemonsets"].flatMap { resource in
      rights(
        ["list"], "apps", resource, [.sessionPod], "the labels that the session pod must not have", isOptional: true)
    }
    + rights(
      ["list"], "", "replicationcontrollers", [.sessionPod], "the labels that the session pod must not have",
      isOptional: true)
    + rights(["get"], "", "nodes", [.sessionPod], "the architecture of the target's node", isOptional: true)
    + rights(
      ["list"], "networking.k8s.io", "networkpolicies", [.sessionPod],
      "the labels by which policies let the session pod through", isOptional: true)
    + rights(
      ["list"], "policy", "poddisruptionbudgets", [.sessionPod], "the labels that the session pod must not have",
      isOptional: true)
    + rights(["list"], "", "limitranges", [.sessionPod], "the session pod's least resources", isOptional: true)
    + rights(
      ["list"], "", "persistentvolumeclaims", [.sessionPod], "the volumes that the session pod can share",
      isOptional: true)

  /// What the command sees of the cluster.
  private static let ofView: [Right] =
    rights(["watch"], "", "services", [.sessionPod], "Services that come and go during the session", isOptional: true)
    + rights(["list", "watch"], "", "endpoints", [.sessionPod], "the addresses of pods", isOptional: true)
    + rights(
      ["list", "watch"], "discovery.k8s.io", "endpointslices", [.sessionPod], "the addresses and names of pods",
      isOptional: true)
    + rights(["list"], "", "nodes", [.sessionPod], "the addresses that are nodes' own", isOptional: true)
    + rights(["list"], "", "namespaces", [.sessionPod], "the Services of other namespaces", isOptional: true)

  private static func rights(
    _ verbs: [String], _ group: String, _ resource: String, _ parts: Set<Part>, _ why: String,
    isOnDeployment: Bool = false, isOptional: Bool = false
  ) -> [Right] {
    verbs.map {
      Right(
        verb: $0, group: group, resource: resource, parts: parts, why: why, isOnDeployment: isOnDeployment,
        isOptional: isOptional)
    }
  }

  /// The rights without which a part does not work.
  package static func needed(for part: Part) -> [Right] { all.filter { $0.parts.contains(part) && !$0.isOptional } }
}

/// What the user may do, asked before anything is changed (SelfSubjectAccessReview, `authorization.k8s.io/v1`). A user who
/// may change a workload but not restore it is stopped here.
package struct Rights: Sendable {
  /// The session's namespace.
  var namespace: Namespace

  /// The rights in a namespace.
  package init(in namespace: Namespace) { self.namespace = namespace }

  /// Makes sure that a session pod can be made, reached and deleted.
  ///
  /// - Throws: `WorkloadError.missingRights`, `KubeError`
  package func checkSessionPod() async throws { try await check(.sessionPod, deployment: nil) }

  /// Makes sure that a Deployment can be changed, watched and put back. Each right is asked for as it is used: a role
  /// that names this one Deployment suffices.
  ///
  /// - Throws: `WorkloadError.missingRights`, `KubeError`
  package func checkReplace(of deployment: String) async throws { try await check(.replace, deployment: deployment) }

  /// Makes sure that a Deployment can be put back from here.
  ///
  /// - Throws: `WorkloadError.missingRights`, `KubeError`
  package func checkRestore(of deployment: String) async throws { try await check(.restore, deployment: deployment) }

  private func check(_ part: Right.Part, deployment: String?) async throws {
    let missing = try await withThrowingTaskGroup(of: Right?.self) { group in
      for right in Right.needed(for: part) {
        group.addTask {
          let path = right.path(deployment: deployment, in: namespace.name)
          return try await namespace.client.may(right.verb, path) ? nil : right
        }
      }
      var missing: [String] = []
      for try await right in group {
        guard let right else { continue }
        let name = right.isOnDeployment ? deployment.map { "/\($0)" } ?? "" : ""
        missing.append(right.description + name)
      }
      return missing
    }
    guard missing.isEmpty else { throw WorkloadError.missingRights(missing.sorted(), namespace: namespace.name) }
  }
}
