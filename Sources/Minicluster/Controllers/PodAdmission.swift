// What Kubernetes adds to a pod when it is made (the admission of service accounts,
// https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#serviceaccount-admission-controller).

internal import DevrunCore
internal import DevrunKube

/// Gives a new pod its service account, and the volume by which its containers reach the API.
enum PodAdmission {
  /// Where containers find the volume.
  static let mountPath = "/var/run/secrets/kubernetes.io/serviceaccount"
  private static let volumePrefix = "kube-api-access-"

  /// Changes a pod that is to be made.
  ///
  /// - Parameters:
  ///   - account: finds a ServiceAccount of the pod's namespace.
  ///   - suffix: makes five random characters.
  /// - Throws: 403 if there is no such ServiceAccount. Only `default` may be missing: a namespace may be too young for it.
  static func admit(
    _ pod: inout KubeObject, account: (String) -> KubeObject?, suffix: () -> String
  ) throws(APIFailure) {
    let name = pod.spec["serviceAccountName"]?.string.flatMap { $0.isEmpty ? nil : $0 } ?? "default"
    pod.spec["serviceAccountName"] = .string(name)
    pod.spec["serviceAccount"] = .string(name)
    let account = account(name)
    guard account != nil || name == "default" else { throw refusal(of: pod, account: name) }
    if pod.spec["imagePullSecrets"]?.array ?? [] == [], let secrets = account?.json["imagePullSecrets"] {
      pod.spec["imagePullSecrets"] = secrets
    }
    let isWanted =
      pod.spec["automountServiceAccountToken"]?.bool ?? account?.json["automountServiceAccountToken"]?.bool ?? true
    if isWanted { mount(in: &pod, suffix) }
  }

  private static func refusal(of pod: KubeObject, account: String) -> APIFailure {
    let name = pod.name.isEmpty ? pod.metadata["generateName"]?.string ?? "" : pod.name
    return APIFailure(
      APIStatus(
        code: 403, reason: "Forbidden",
        message: "pods \"\(name)\" is forbidden: error looking up service account "
          + "\(pod.namespace ?? "default")/\(account): serviceaccount \"\(account)\" not found",
        details: APIStatus.Details(name: name, kind: "pods")))
  }

  /// Mounts the volume in the containers that have nothing at its place.
  private static func mount(in pod: inout KubeObject, _ suffix: () -> String) {
    let taken = Set(pod.volumes.compactMap { $0["name"]?.string })
    var name = volumePrefix + suffix()
    while taken.contains(name) { name = volumePrefix + suffix() }
    var isUsed = false
    for field in ["initContainers", "containers"] {
      guard let containers = pod.spec[field]?.array else { continue }
      pod.spec[field] = .array(
        containers.map { json in
          var container = Container(json)
          guard !container.volumeMounts.contains(where: { $0["mountPath"]?.string == mountPath }) else { return json }
          isUsed = true
          container.volumeMounts.append(
            ["name": .string(name), "mountPath": .string(mountPath), "readOnly": true])
          return container.json
        })
    }
    guard isUsed else { return }
    pod.volumes.append([
      "name": .string(name),
      "projected": [
        "defaultMode": 420,
        "sources": [
          ["serviceAccountToken": ["expirationSeconds": 3607, "path": "token"]],
          [
            "configMap": [
              "name": .string(NamespaceController.authorityMap), "items": [["key": "ca.crt", "path": "ca.crt"]],
            ]
          ],
          [
            "downwardAPI": [
              "items": [
                ["path": "namespace", "fieldRef": ["apiVersion": "v1", "fieldPath": "metadata.namespace"]]
              ]
            ]
          ],
        ],
      ],
    ])
  }
}
