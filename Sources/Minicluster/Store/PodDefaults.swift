internal import DevrunCore
internal import DevrunKube

/// The defaults of a pod's spec, in a pod or in a template.
enum PodDefaults {
  static func apply(to spec: inout JSONValue) {
    spec.setDefault("restartPolicy", "Always")
    spec.setDefault("dnsPolicy", "ClusterFirst")
    spec.setDefault("schedulerName", "default-scheduler")
    spec.setDefault("securityContext", [:])
    spec.setDefault("terminationGracePeriodSeconds", 30)
    // The old name of a field goes with the new one.
    if let account = spec["serviceAccountName"] ?? spec["serviceAccount"] {
      spec["serviceAccountName"] = account
      spec["serviceAccount"] = account
    }
    spec.changeEach("initContainers", applyToContainer)
    spec.changeEach("containers", applyToContainer)
    spec.changeEach("volumes", applyToVolume)
  }

  private static func applyToContainer(_ container: inout JSONValue) {
    container.setDefault("terminationMessagePath", "/dev/termination-log")
    container.setDefault("terminationMessagePolicy", "File")
    container.setDefault("resources", [:])
    container.setDefault("imagePullPolicy", .string(pullPolicy(of: container["image"]?.string ?? "")))
    container.changeEach("ports") { $0.setDefault("protocol", "TCP") }
    container.changeEach("env") { variable in
      variable.change("valueFrom") { source in
        source.change("fieldRef") { $0.setDefault("apiVersion", "v1") }
      }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] { container.change(probe, applyToProbe) }
    container.change("lifecycle") { lifecycle in
      for hook in ["postStart", "preStop"] {
        lifecycle.change(hook) { $0.change("httpGet", applyToRequest) }
      }
    }
  }

  /// What a container of a pod may use at most is what it asks for, unless it asks for less. A template stays as it is.
  static func applyRequests(to spec: inout JSONValue) {
    for field in ["initContainers", "containers"] {
      spec.changeEach(field) { container in
        container.change("resources") { resources in
          guard let limits = resources["limits"]?.object else { return }
          resources.change("requests", or: [:]) { requests in
            for (name, limit) in limits { requests.setDefault(name, limit) }
          }
        }
      }
    }
  }

  /// `Always` for an image that may change: one with the tag `latest`, or with no tag and no digest.
  private static func pullPolicy(of image: String) -> String {
    guard !image.contains("@") else { return "IfNotPresent" }
    let name = image.split(separator: "/").last ?? ""
    let tag = name.split(separator: ":", maxSplits: 1).dropFirst().first ?? "latest"
    return tag == "latest" ? "Always" : "IfNotPresent"
  }

  private static func applyToProbe(_ probe: inout JSONValue) {
    probe.setDefault("timeoutSeconds", 1)
    probe.setDefault("periodSeconds", 10)
    probe.setDefault("successThreshold", 1)
    probe.setDefault("failureThreshold", 3)
    probe.change("httpGet", applyToRequest)
    probe.change("grpc") { $0.setDefault("service", "") }
  }

  private static func applyToRequest(_ request: inout JSONValue) {
    request.setDefault("path", "/")
    request.setDefault("scheme", "HTTP")
  }

  private static func applyToVolume(_ volume: inout JSONValue) {
    if let members = volume.object, members.keys.allSatisfy({ $0 == "name" }) { volume["emptyDir"] = [:] }
    for source in ["secret", "configMap", "projected", "downwardAPI"] {
      volume.change(source) { $0.setDefault("defaultMode", 0o644) }
    }
    volume.change("hostPath") { $0.setDefault("type", "") }
    volume.change("downwardAPI", applyToDownwardAPI)
    volume.change("projected") { projected in
      projected.changeEach("sources") { source in
        source.change("downwardAPI", applyToDownwardAPI)
        source.change("serviceAccountToken") { $0.setDefault("expirationSeconds", 3600) }
      }
    }
  }

  private static func applyToDownwardAPI(_ source: inout JSONValue) {
    source.changeEach("items") { item in
      item.change("fieldRef") { $0.setDefault("apiVersion", "v1") }
    }
  }
}

/// The quality of service of a pod (https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/).
enum PodQuality {
  /// `Guaranteed`, `Burstable` or `BestEffort`.
  static func of(_ pod: KubeObject) -> String {
    let resources = (pod.containers + (pod.spec["initContainers"]?.array ?? []).map(Container.init)).map {
      $0.json["resources"] ?? [:]
    }
    func amounts(_ resources: JSONValue, _ name: String) -> [String: JSONValue] {
      (resources[name]?.object ?? [:]).filter { $0.key == "cpu" || $0.key == "memory" }
    }
    if resources.allSatisfy({ amounts($0, "limits").isEmpty && amounts($0, "requests").isEmpty }) {
      return "BestEffort"
    }
    let isGuaranteed = resources.allSatisfy { resources in
      let limits = amounts(resources, "limits")
      return limits.count == 2 && amounts(resources, "requests").allSatisfy { limits[$0.key] == $0.value }
    }
    return isGuaranteed ? "Guaranteed" : "Burstable"
  }
}
