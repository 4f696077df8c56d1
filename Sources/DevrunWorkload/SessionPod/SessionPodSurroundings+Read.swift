internal import DevrunCore
package import DevrunKube

extension SessionPodSurroundings {
  /// Reads what is in a workload's namespace, apart from its Services, which are known with it. What the user may not list
  /// counts as not there.
  ///
  /// - Throws: `KubeError`
  package static func read(in namespace: Namespace, for workload: Workload) async throws -> SessionPodSurroundings {
    func list(_ path: ResourcePath, labelSelector: String? = nil) async throws -> [KubeObject] {
      try await namespace.listIfAllowed(path, labelSelector: labelSelector)
    }
    func own(_ group: String, _ resource: String, version: String = "v1") -> ResourcePath {
      ResourcePath(group: group, version: version, resource: resource, namespace: namespace.name)
    }
    async let deployments = list(namespace.deployments)
    async let replicaSets = list(namespace.replicaSets)
    async let statefulSets = list(own("apps", "statefulsets"))
    async let daemonSets = list(own("apps", "daemonsets"))
    async let controllers = list(own("", "replicationcontrollers"))
    async let budgets = list(own("policy", "poddisruptionbudgets"))
    async let oldBudgets = list(own("policy", "poddisruptionbudgets", version: "v1beta1"))
    async let policies = list(own("networking.k8s.io", "networkpolicies"))
    async let ranges = list(own("", "limitranges"))
    async let claims = list(own("", "persistentvolumeclaims"))
    async let pods = list(namespace.pods, labelSelector: workload.labelSelector)

    var surroundings = SessionPodSurroundings()
    let byMap = try await workload.services + controllers
    surroundings.selecting = byMap.compactMap(Selecting.init(labelsOf:))
    let bySelector = try await deployments + replicaSets + statefulSets + daemonSets + budgets + oldBudgets
    surroundings.selecting += bySelector.map(Selecting.init(selectorOf:))
    surroundings.policies = try await policies.flatMap(selectors(of:))
    surroundings.limits = try await ranges.flatMap { $0.spec["limits"]?.array ?? [] }
    for claim in try await claims {
      let modes = (claim.spec["accessModes"]?.array ?? []).compactMap(\.string)
      surroundings.claims[claim.name] = Claim(accessModes: Set(modes))
    }
    let running = try await pods.first { $0.status["phase"]?.string == "Running" && !$0.isTerminating }
    surroundings.node = running?.spec["nodeName"]?.string
    if let node = surroundings.node {
      let labels = try await namespace.client.labels(ofNode: node)
      surroundings.architecture = labels["kubernetes.io/arch"]
      surroundings.operatingSystem = labels["kubernetes.io/os"]
    }
    return surroundings
  }

  /// What a network policy selects pods of its namespace by: those that it is for, and those that it lets through.
  static func selectors(of policy: KubeObject) -> [PodSelector] {
    let rules = (policy.spec["ingress"]?.array ?? []) + (policy.spec["egress"]?.array ?? [])
    let peers = rules.flatMap { ($0["from"]?.array ?? []) + ($0["to"]?.array ?? []) }
    let selectors = [policy.spec["podSelector"] ?? [:]] + peers.compactMap { $0["podSelector"] }
    return selectors.map { PodSelector($0) }
  }
}

extension SessionPodSurroundings.Selecting {
  /// What selects by a plain map of labels: a Service, a ReplicationController. A Service without a map selects nothing.
  init?(labelsOf object: KubeObject) {
    guard let labels = object.spec["selector"]?.stringMap, !labels.isEmpty else { return nil }
    self.init(kind: object.kind == "ReplicationController" ? .adopts : .uses, selector: PodSelector(labels: labels))
  }

  /// What selects by a label selector: a workload, a disruption budget.
  init(selectorOf object: KubeObject) {
    let adopts = ["ReplicaSet", "StatefulSet", "DaemonSet"].contains(object.kind)
    self.init(kind: adopts ? .adopts : .uses, selector: PodSelector(object.spec["selector"] ?? [:]))
  }
}

extension Namespace {
  /// Lists a collection; nothing where the user may not, or where the cluster does not have the resource.
  fileprivate func listIfAllowed(_ path: ResourcePath, labelSelector: String?) async throws -> [KubeObject] {
    do {
      return try await client.list(path, labelSelector: labelSelector).items
    } catch let error as KubeError where error.isForbidden || error.isNotFound {
      return []
    }
  }
}

extension KubeClient {
  /// The labels of a node; none if the user may not read nodes.
  fileprivate func labels(ofNode name: String) async throws -> [String: String] {
    do {
      return try await get(ResourcePath(version: "v1", resource: "nodes", name: name)).labels
    } catch let error as KubeError where error.isForbidden || error.isNotFound {
      return [:]
    }
  }
}
