// What the API server sets where a client sets nothing, as far as devrun, kubectl and this cluster read it
// (https://kubernetes.io/docs/reference/kubernetes-api/).
internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Fills in the fields that an object lacks.
enum ObjectDefaults {
  /// Sets what only the server sets at the beginning, whatever the client sends: the status above all.
  static func prepareNew(_ object: inout KubeObject, _ kind: ObjectKind) {
    switch kind {
    case .pod:
      object.json["status"] = ["phase": "Pending", "qosClass": .string(PodQuality.of(object))]
    case .deployment: object.json["status"] = [:]
    case .replicaSet, .statefulSet: object.json["status"] = ["replicas": 0]
    case .daemonSet:
      object.json["status"] = [
        "currentNumberScheduled": 0, "numberMisscheduled": 0, "desiredNumberScheduled": 0, "numberReady": 0,
      ]
    case .service: object.json["status"] = ["loadBalancer": [:]]
    case .persistentVolumeClaim: object.json["status"] = ["phase": "Pending"]
    case .namespace:
      object.json["status"] = ["phase": "Active"]
      object.spec["finalizers"] = ["kubernetes"]
      object.labels["kubernetes.io/metadata.name"] = object.name
    default: break
    }
  }

  /// Fills in what is absent, and leaves out what is empty: of `[]` and `null` the server keeps nothing.
  static func apply(to object: inout KubeObject, _ kind: ObjectKind) {
    object.json = JSONNormalization.normalized(object.json)
    switch kind {
    case .pod:
      object.spec.setDefault("enableServiceLinks", true)
      PodDefaults.apply(to: &object.spec)
      PodDefaults.applyRequests(to: &object.spec)
    case .deployment:
      applyToWorkload(&object)
      object.spec.setDefault("progressDeadlineSeconds", 600)
      object.spec.setDefault("revisionHistoryLimit", 10)
      object.spec.change("strategy", or: [:]) { strategy in
        strategy.setDefault("type", "RollingUpdate")
        guard strategy["type"] == "RollingUpdate" else { return }
        strategy.change("rollingUpdate", or: [:]) { update in
          update.setDefault("maxUnavailable", "25%")
          update.setDefault("maxSurge", "25%")
        }
      }
    case .replicaSet: applyToWorkload(&object)
    case .statefulSet:
      applyToWorkload(&object)
      object.spec.setDefault("podManagementPolicy", "OrderedReady")
      object.spec.setDefault("revisionHistoryLimit", 10)
      object.spec.setDefault("updateStrategy", ["type": "RollingUpdate", "rollingUpdate": ["partition": 0]])
    case .daemonSet:
      object.spec.change("template", or: [:]) { template in
        template.change("spec", or: [:]) { PodDefaults.apply(to: &$0) }
      }
      object.spec.setDefault("revisionHistoryLimit", 10)
      object.spec.setDefault(
        "updateStrategy", ["type": "RollingUpdate", "rollingUpdate": ["maxSurge": 0, "maxUnavailable": 1]])
    case .service: applyToService(&object.spec)
    case .secret: applyToSecret(&object.json)
    case .endpoints:
      object.json.changeEach("subsets") { subset in
        subset.changeEach("ports") { $0.setDefault("protocol", "TCP") }
      }
    case .endpointSlice:
      object.json.setDefault("endpoints", [])
      object.json.changeEach("ports") { port in
        port.setDefault("name", "")
        port.setDefault("protocol", "TCP")
      }
    default: break
    }
  }

  private static func applyToWorkload(_ object: inout KubeObject) {
    object.spec.setDefault("replicas", 1)
    object.spec.change("template", or: [:]) { template in
      template.setDefault("metadata", [:])
      template.change("spec", or: [:]) { PodDefaults.apply(to: &$0) }
    }
  }

  private static func applyToService(_ spec: inout JSONValue) {
    spec.setDefault("type", "ClusterIP")
    spec.setDefault("sessionAffinity", "None")
    spec.changeEach("ports") { port in
      port.setDefault("protocol", "TCP")
      if let number = port["port"] { port.setDefault("targetPort", number) }
    }
    guard spec["type"] != "ExternalName" else { return }
    spec.setDefault("internalTrafficPolicy", "Cluster")
    spec.setDefault("ipFamilies", ["IPv4"])
    spec.setDefault("ipFamilyPolicy", "SingleStack")
  }

  /// A client that replaces a Service need not send the addresses that the server has given it.
  static func keepAddresses(of present: KubeObject, in next: inout KubeObject) {
    guard next.spec["type"] == present.spec["type"] else { return }
    for name in ["clusterIP", "clusterIPs"] {
      guard let address = present.spec[name] else { continue }
      next.spec.setDefault(name, address)
    }
  }

  /// `stringData` is written by clients alone: it goes over into `data`.
  private static func applyToSecret(_ secret: inout JSONValue) {
    secret.setDefault("type", "Opaque")
    guard let texts = secret["stringData"]?.stringMap else { return }
    secret["stringData"] = nil
    secret.change("data", or: [:]) { data in
      for (name, text) in texts { data[name] = .string(Data(text.utf8).base64EncodedString()) }
    }
  }

  /// Whether a change is one that controllers must look at again, so that it counts in `metadata.generation`.
  static func isNewGeneration(
    _ next: KubeObject, after present: KubeObject, _ kind: ObjectKind, _ part: ObjectStore.Part
  ) -> Bool {
    guard part != .status else { return false }
    if kind == .endpointSlice {
      return next.json["endpoints"] != present.json["endpoints"] || next.json["ports"] != present.json["ports"]
    }
    // The annotations of a Deployment go over to its ReplicaSets.
    if kind == .deployment, next.annotations != present.annotations { return true }
    return next.spec != present.spec
  }
}

extension ObjectKind {
  private static let counted: Set<ObjectKind> = [
    .deployment, .replicaSet, .statefulSet, .daemonSet, .endpointSlice, .networkPolicy, .podDisruptionBudget,
  ]
  private static let withStatus: Set<ObjectKind> = [
    .pod, .service, .namespace, .node, .deployment, .replicaSet, .statefulSet, .daemonSet, .persistentVolumeClaim,
    .resourceQuota, .podDisruptionBudget,
  ]

  /// Whether `metadata.generation` counts the changes of objects of this kind.
  package var hasGeneration: Bool { Self.counted.contains(self) }
  /// Whether the status is a part of its own (the subresource `status`).
  package var hasStatus: Bool { Self.withStatus.contains(self) }
  /// Whether there is the subresource `scale`.
  package var hasScale: Bool { self == .deployment || self == .replicaSet || self == .statefulSet }
}

extension JSONValue {
  /// Sets a member that is absent.
  mutating func setDefault(_ name: String, _ value: JSONValue) {
    if self[name] == nil { self[name] = value }
  }

  /// Changes a member in place; one that is absent begins with a value.
  mutating func change(_ name: String, or first: JSONValue? = nil, _ change: (inout JSONValue) -> Void) {
    guard var value = self[name] ?? first else { return }
    change(&value)
    self[name] = value
  }

  /// Changes each element of an array that is a member.
  mutating func changeEach(_ name: String, _ change: (inout JSONValue) -> Void) {
    guard case .array(var elements)? = self[name] else { return }
    for index in elements.indices { change(&elements[index]) }
    self[name] = .array(elements)
  }
}
