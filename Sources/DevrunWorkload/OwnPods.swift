internal import DevrunCore
package import DevrunKube

/// Pods of a session's own, made and removed: nothing that runs is touched. No Service selects such a pod, so what comes
/// in comes to its address; what goes out goes out from its place in the cluster.
package struct OwnPods: Sendable {
  /// The container of a pod that is like no other.
  package static let container = "agent"

  /// The session's namespace.
  var namespace: Namespace

  /// The pods of sessions in a namespace.
  package init(in namespace: Namespace) { self.namespace = namespace }

  /// An image that can carry the agent.
  package struct Carrier: Sendable {
    /// The image.
    package var image: String
    /// The pull secrets that go with it (`imagePullSecrets`).
    var pullSecrets: JSONValue?
    /// The pod that it was found in.
    package var pod: String?
  }

  /// The image that carries the agent: the given one, else one that a running pod has, so that it is there already.
  ///
  /// - Throws: `WorkloadError.noCarrierImage`, `KubeError`
  package func carrier(image: String?) async throws -> Carrier {
    if let image { return Carrier(image: image) }
    for pod in try await namespace.client.list(namespace.pods).items where pod.status["phase"]?.string == "Running" {
      guard isForLinux(pod), let image = pod.containers.first?.image else { continue }
      return Carrier(image: image, pullSecrets: pod.spec["imagePullSecrets"], pod: pod.name)
    }
    throw WorkloadError.noCarrierImage(namespace: namespace.name)
  }

  /// Whether a pod's image can carry the agent, as far as the pod itself shows it. The operating system of a pod that does
  /// not name it is mostly Linux.
  private func isForLinux(_ pod: KubeObject) -> Bool {
    do throws(WorkloadError) {
      try PodPlatform(architecture: nil).check(pod)
      return true
    } catch {
      return false
    }
  }

  /// A pod with the agent in its only container. It meets the Pod Security Standard `restricted`
  /// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
  ///
  /// - Parameter holder: who holds the session, as `user@machine`.
  /// - Throws: `WorkloadError`
  package func pod(
    named name: String, on carrier: Carrier, ports: [UInt16], agent: AgentTemplate, holder: String
  ) throws(WorkloadError) -> KubeObject {
    var spec: JSONValue = [
      "restartPolicy": "Always",
      "automountServiceAccountToken": true,
      "enableServiceLinks": false,
      "securityContext": [
        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
        "seccompProfile": ["type": "RuntimeDefault"],
      ],
      "containers": [
        [
          "name": .string(Self.container), "image": .string(carrier.image), "imagePullPolicy": "IfNotPresent",
          "ports": .array(ports.map { ["containerPort": .int(Int64($0))] }),
          // The agent answers it: the pod is Ready while a devrun is attached.
          "readinessProbe": ["httpGet": [:]],
          "securityContext": [
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": ["drop": ["ALL"]],
          ],
        ]
      ],
    ]
    spec["imagePullSecrets"] = carrier.pullSecrets
    var pod = try agent.applied(to: ["metadata": [:], "spec": spec])
    pod.annotations[SessionMark.holder] = holder
    pod.metadata["name"] = .string(name)
    pod.metadata["namespace"] = .string(namespace.name)
    pod.labels = [SessionMark.key: agent.session]
    pod.json["apiVersion"] = "v1"
    pod.json["kind"] = "Pod"
    return pod
  }

  /// Deletes a pod at once: nothing of the cluster depends on it, so it needs no time to end. Its kubelet ends the agent.
  ///
  /// - Throws: `KubeError`
  package func remove(_ name: String) async throws {
    try await namespace.delete(namespace.pods.named(name), gracePeriodSeconds: 0)
  }
}
