internal import DevrunCore
package import DevrunKube

/// A Service stands for the one Deployment whose pods it selects.
package struct ServiceTarget: TargetKind {
  package let names = KindNames("service", short: "svc")

  package func workload(_ reference: TargetReference, in namespace: Namespace) async throws -> Workload {
    let service = try await object(reference, in: namespace)
    guard let selector = service.spec["selector"]?.stringMap, !selector.isEmpty else {
      throw WorkloadError.unsupportedTarget(
        "\(reference)",
        why: service.spec["type"]?.string == "ExternalName"
          ? "it is a name for something outside of the cluster" : "it has no selector, so no pod is known to serve it")
    }
    var owners = try await owners(ofPodsWith: selector, in: namespace)
    if owners.isEmpty {
      for deployment in try await namespace.client.list(namespace.deployments).items {
        let labels = deployment.template.labels
        guard selector.allSatisfy({ labels[$0] == $1 }) else { continue }
        owners["deployment/\(deployment.name)"] = .some(Workload(object: deployment))
      }
    }
    if owners.count == 1, let (owner, workload) = owners.first, workload == nil {
      throw WorkloadError.serviceOfOtherKind(reference.name, owner: owner)
    }
    guard owners.count == 1, var workload = owners.values.first ?? nil else {
      throw WorkloadError.ambiguousService(reference.name, owners: owners.keys.sorted())
    }
    workload.namedBy = "\(reference)"
    workload.namingPorts = Self.targetPorts(of: service)
    return workload
  }

  package func candidates(in namespace: Namespace) async throws -> [String] {
    try await namespace.client.list(namespace.services).items
      .filter { $0.spec["selector"]?.object?.isEmpty == false }
      .map { candidate($0, ports: Self.ports(of: $0).compactMap { $0["port"]?.int }) }
  }

  /// What owns the pods that have the labels, as `kind/name`; with the workload where that is a Deployment.
  private func owners(ofPodsWith labels: [String: String], in namespace: Namespace) async throws -> [String: Workload?]
  {
    let pods = try await namespace.client.list(namespace.pods, labelSelector: LabelSelector.text(of: labels)).items
    var owners: [String: Workload?] = [:]
    var seen: Set<String> = []
    for pod in pods where !pod.isTerminating {
      let direct = pod.controller.map { "\($0.kind)/\($0.name)".lowercased() } ?? "pod/\(pod.name)"
      guard seen.insert(direct).inserted else { continue }
      let workload = try await PodTarget.workload(owning: pod, in: namespace)
      owners[workload.map { "deployment/\($0.name)" } ?? direct] = .some(workload)
    }
    return owners
  }

  /// The TCP ports of pods that a Service leads to: numbers, or names of container ports.
  static func targetPorts(of service: KubeObject) -> [JSONValue] {
    ports(of: service).compactMap { port in
      port["protocol"]?.string ?? "TCP" == "TCP" ? port["targetPort"] ?? port["port"] : nil
    }
  }

  /// The ports by which Services reach the pods of a template.
  static func targetPorts(of services: [KubeObject], selecting template: KubeObject) -> [JSONValue] {
    let labels = template.labels
    return services.filter { service in
      guard let selector = service.spec["selector"]?.stringMap, !selector.isEmpty else { return false }
      return selector.allSatisfy { labels[$0] == $1 }
    }
    .flatMap { targetPorts(of: $0) }
  }

  private static func ports(of service: KubeObject) -> [JSONValue] { service.spec["ports"]?.array ?? [] }
}
