/// A kind of object that the API serves.
package struct ObjectKind: Sendable, Hashable {
  /// The API group; empty for the core group.
  package var group: String
  /// The group's version.
  package var version: String
  /// The kind, as in objects: `Deployment`.
  package var kind: String
  /// The resource's plural name, as in URLs: `deployments`.
  package var resource: String
  /// The resource's singular name: `deployment`.
  package var singular: String
  /// kubectl's short names: `deploy`.
  package var shortNames: [String]
  /// Whether objects of this kind are in a namespace.
  package var isNamespaced: Bool

  /// A kind of the given names.
  package init(
    group: String = "", version: String = "v1", kind: String, resource: String, shortNames: [String] = [],
    isNamespaced: Bool = true
  ) {
    self.group = group
    self.version = version
    self.kind = kind
    self.resource = resource
    singular = kind.lowercased()
    self.shortNames = shortNames
    self.isNamespaced = isNamespaced
  }

  /// `apiVersion`, as in objects: the version, behind the group if there is one.
  package var apiVersion: String { group.isEmpty ? version : "\(group)/\(version)" }
}

extension ObjectKind {
  package static let pod = ObjectKind(kind: "Pod", resource: "pods", shortNames: ["po"])
  package static let service = ObjectKind(kind: "Service", resource: "services", shortNames: ["svc"])
  package static let endpoints = ObjectKind(kind: "Endpoints", resource: "endpoints", shortNames: ["ep"])
  package static let configMap = ObjectKind(kind: "ConfigMap", resource: "configmaps", shortNames: ["cm"])
  package static let secret = ObjectKind(kind: "Secret", resource: "secrets")
  package static let serviceAccount = ObjectKind(
    kind: "ServiceAccount", resource: "serviceaccounts", shortNames: ["sa"])
  package static let event = ObjectKind(kind: "Event", resource: "events", shortNames: ["ev"])
  package static let limitRange = ObjectKind(kind: "LimitRange", resource: "limitranges", shortNames: ["limits"])
  package static let resourceQuota = ObjectKind(
    kind: "ResourceQuota", resource: "resourcequotas", shortNames: ["quota"])
  package static let persistentVolumeClaim = ObjectKind(
    kind: "PersistentVolumeClaim", resource: "persistentvolumeclaims", shortNames: ["pvc"])
  package static let namespace = ObjectKind(
    kind: "Namespace", resource: "namespaces", shortNames: ["ns"], isNamespaced: false)
  package static let node = ObjectKind(kind: "Node", resource: "nodes", shortNames: ["no"], isNamespaced: false)
  package static let deployment = ObjectKind(
    group: "apps", kind: "Deployment", resource: "deployments", shortNames: ["deploy"])
  package static let replicaSet = ObjectKind(
    group: "apps", kind: "ReplicaSet", resource: "replicasets", shortNames: ["rs"])
  package static let statefulSet = ObjectKind(
    group: "apps", kind: "StatefulSet", resource: "statefulsets", shortNames: ["sts"])
  package static let daemonSet = ObjectKind(
    group: "apps", kind: "DaemonSet", resource: "daemonsets", shortNames: ["ds"])
  package static let endpointSlice = ObjectKind(
    group: "discovery.k8s.io", kind: "EndpointSlice", resource: "endpointslices")
  package static let networkPolicy = ObjectKind(
    group: "networking.k8s.io", kind: "NetworkPolicy", resource: "networkpolicies", shortNames: ["netpol"])
  package static let podDisruptionBudget = ObjectKind(
    group: "policy", kind: "PodDisruptionBudget", resource: "poddisruptionbudgets", shortNames: ["pdb"])

  /// All kinds that are stored.
  package static let all: [ObjectKind] = [
    .pod, .service, .endpoints, .configMap, .secret, .serviceAccount, .event, .limitRange, .resourceQuota,
    .persistentVolumeClaim, .namespace, .node, .deployment, .replicaSet, .statefulSet, .daemonSet, .endpointSlice,
    .networkPolicy, .podDisruptionBudget,
  ]
}
