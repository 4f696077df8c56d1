internal import DevrunCore
internal import DevrunKube

/// A pod of the session's own: nothing that runs is touched. No Service selects it, so what comes in comes to its
/// address; what goes out goes out from its place in the cluster.
struct NewPod: Sendable {
  /// The container of the new pod.
  static let container = "agent"

  /// The API.
  var client: KubeClient
  /// The session's namespace.
  var namespace: String

  /// The image that carries the agent: the given one, else one that a running pod has, so that it is there already.
  ///
  /// - Returns: the image, the names of the pull secrets that go with it, and the pod it was found in.
  /// - Throws: `SessionError.noCarrierImage`, `KubeError`
  func carrier(image: String?) async throws -> (image: String, pullSecrets: JSONValue?, from: String?) {
    if let image { return (image, nil, nil) }
    for pod in try await client.list(.pods(in: namespace)).items where pod["status"]?["phase"]?.string == "Running" {
      guard let image = pod["spec"]?["containers"]?.array?.first?["image"]?.string else { continue }
      return (image, pod["spec"]?["imagePullSecrets"], TargetResolution.name(of: pod))
    }
    throw SessionError.noCarrierImage(namespace: namespace)
  }

  /// The pod, with the agent in its only container. It meets the Pod Security Standard `restricted`
  /// (https://kubernetes.io/docs/concepts/security/pod-security-standards/).
  ///
  /// - Throws: `SessionError`
  func object(named name: String, image: String, pullSecrets: JSONValue?, ports: [UInt16], agent: AgentTemplate) throws
    -> JSONValue
  {
    var spec: JSONValue = [
      "restartPolicy": "Always",
      "automountServiceAccountToken": true,
      "securityContext": [
        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532, "fsGroup": 65532,
        "seccompProfile": ["type": "RuntimeDefault"],
      ],
      "containers": [
        [
          "name": .string(Self.container), "image": .string(image), "imagePullPolicy": "IfNotPresent",
          "ports": .array(ports.map { ["containerPort": .int(Int64($0))] }),
          "securityContext": [
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": ["drop": ["ALL"]],
          ],
        ]
      ],
    ]
    if let pullSecrets { spec["imagePullSecrets"] = pullSecrets }
    let template = try agent.applied(to: ["metadata": [:], "spec": spec])
    var metadata = template["metadata"] ?? [:]
    metadata["name"] = .string(name)
    metadata["namespace"] = .string(namespace)
    metadata["labels"] = [PayloadUpload.label: .string(agent.session)]
    return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] ?? [:]]
  }

  /// A pod with one container of a workload's template, the agent in it: no other container, none that initializes, and none
  /// of the labels by which Services select.
  ///
  /// - Throws: `SessionError`
  func copy(of template: JSONValue, named name: String, agent: AgentTemplate) throws -> JSONValue {
    var template = template
    var spec = template["spec"] ?? [:]
    spec["initContainers"] = nil
    spec["containers"] = .array((spec["containers"]?.array ?? []).filter { $0["name"]?.string == agent.container })
    template["spec"] = spec
    let changed = try agent.applied(to: template)
    var metadata = changed["metadata"] ?? [:]
    metadata["name"] = .string(name)
    metadata["namespace"] = .string(namespace)
    metadata["labels"] = [PayloadUpload.label: .string(agent.session)]
    return ["apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": changed["spec"] ?? [:]]
  }

  /// Deletes the pod and waits until it is gone.
  ///
  /// - Parameter haste: where it is wanted, the pod has no time to end.
  /// - Throws: `KubeError`
  func remove(_ name: String, haste: Haste = Haste()) async throws {
    do {
      try await client.delete(.pods(in: namespace).named(name))
    } catch let error as KubeError where error.isNotFound {
      return
    }
    let pods = EndingPods(client: client, namespace: namespace, labelSelector: PayloadUpload.label) {
      TargetResolution.name(of: $0) == name
    }
    if try await !haste.unlessWanted({ try await pods.awaitGone() }) { try await pods.removeAtOnce() }
  }
}
