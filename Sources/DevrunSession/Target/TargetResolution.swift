internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube

/// Finds the workload that a person means.
struct TargetResolution: Sendable {
  /// The API.
  var client: KubeClient
  /// The namespace of the session.
  var namespace: String

  /// The Deployment behind a reference: itself, the one whose pods a Service selects, or the one that owns a pod.
  ///
  /// - Throws: `SessionError`, `KubeError`
  func workload(_ reference: TargetReference) async throws -> Workload {
    switch reference.kind {
    case .deployment:
      return Workload(
        namespace: namespace, name: reference.name, object: try await read(reference, .deployments(in: namespace)))
    case .service:
      return try await behindService(reference)
    case .pod:
      let pod = try await read(reference, .pods(in: namespace))
      guard let name = try await deployment(owning: pod) else {
        throw SessionError.unsupportedTarget("\(reference)", why: "no Deployment owns it\(Self.owner(of: pod))")
      }
      return try await workload(named: name, by: reference)
    case .statefulSet, .daemonSet, .replicaSet:
      throw SessionError.unsupportedTarget("\(reference)", why: "a \(reference.kind.rawValue) is not supported yet")
    }
  }

  /// What could be redirected, as `kind/name` with a few words: for people.
  func candidates() async throws -> [String] {
    async let deployments = client.list(.deployments(in: namespace)).items
    async let services = client.list(.services(in: namespace)).items
    let workloads = try await deployments.map { deployment -> String in
      let containers = deployment[path: "spec", "template", "spec", "containers"]?.array ?? []
      let ports = containers.flatMap { $0["ports"]?.array ?? [] }.compactMap { $0["containerPort"]?.int }
      return "deployment/\(Self.name(of: deployment))" + Self.portList(ports)
    }
    let fronts = try await services.filter { $0["spec"]?["selector"]?.object?.isEmpty == false }.map { service in
      "service/\(Self.name(of: service))"
        + Self.portList((service["spec"]?["ports"]?.array ?? []).compactMap { $0["port"]?.int })
    }
    return workloads.sorted() + fronts.sorted()
  }

  /// The Deployment whose pods a Service selects.
  private func behindService(_ reference: TargetReference) async throws -> Workload {
    let service = try await read(reference, .services(in: namespace))
    guard let selector = service["spec"]?["selector"]?.stringMap, !selector.isEmpty else {
      throw SessionError.unsupportedTarget(
        "\(reference)",
        why: service["spec"]?["type"]?.string == "ExternalName"
          ? "it is a name for something outside of the cluster" : "it has no selector, so no pod is known to serve it")
    }
    let pods = try await client.list(.pods(in: namespace), labelSelector: LabelSelector.text(of: selector)).items
    var owners: [String: String] = [:]
    for pod in pods where pod["metadata"]?["deletionTimestamp"] == nil {
      let replicaSet = Self.controller(of: pod).map { "\($0.kind)/\($0.name)" } ?? "pod/\(Self.name(of: pod))"
      if owners[replicaSet] == nil { owners[replicaSet] = try await deployment(owning: pod) ?? "" }
    }
    if owners.isEmpty {
      for deployment in try await client.list(.deployments(in: namespace)).items {
        let labels = deployment[path: "spec", "template", "metadata", "labels"]?.stringMap ?? [:]
        guard selector.allSatisfy({ labels[$0] == $1 }) else { continue }
        owners[Self.name(of: deployment)] = Self.name(of: deployment)
      }
    }
    let names = Set(owners.map { $1.isEmpty ? $0.lowercased() : "deployment/\($1)" })
    guard names.count == 1, let name = owners.values.first, !name.isEmpty else {
      throw SessionError.ambiguousService(reference.name, owners: names.sorted())
    }
    var workload = try await workload(named: name, by: reference)
    workload.servicePorts = (service["spec"]?["ports"]?.array ?? []).compactMap { port in
      port["protocol"]?.string ?? "TCP" == "TCP" ? port["targetPort"] ?? port["port"] : nil
    }
    return workload
  }

  /// The name of the Deployment that owns a pod by way of a ReplicaSet.
  private func deployment(owning pod: JSONValue) async throws -> String? {
    guard let owner = Self.controller(of: pod), owner.kind == "ReplicaSet" else { return nil }
    let replicaSet = try await client.get(.replicaSets(in: namespace).named(owner.name))
    guard let deployment = Self.controller(of: replicaSet), deployment.kind == "Deployment" else { return nil }
    return deployment.name
  }

  private func workload(named name: String, by reference: TargetReference) async throws -> Workload {
    let object = try await client.get(.deployments(in: namespace).named(name))
    return Workload(namespace: namespace, name: name, object: object, namedBy: "\(reference)")
  }

  /// Reads what a reference names; where it is not there, tells what is.
  private func read(_ reference: TargetReference, _ collection: ResourcePath) async throws -> JSONValue {
    do {
      return try await client.get(collection.named(reference.name))
    } catch let error as KubeError where error.isNotFound {
      throw SessionError.targetNotFound("\(reference)", namespace: namespace, candidates: try await candidates())
    }
  }

  /// The controller that owns an object.
  static func controller(of object: JSONValue) -> (kind: String, name: String)? {
    for owner in object[path: "metadata", "ownerReferences"]?.array ?? [] where owner["controller"]?.bool == true {
      if let kind = owner["kind"]?.string, let name = owner["name"]?.string { return (kind, name) }
    }
    return nil
  }

  private static func owner(of pod: JSONValue) -> String {
    controller(of: pod).map { ": it belongs to \($0.kind.lowercased())/\($0.name)" } ?? ""
  }

  static func name(of object: JSONValue) -> String { object["metadata"]?["name"]?.string ?? "" }

  private static func portList(_ ports: [Int]) -> String {
    ports.isEmpty ? "" : "  (port \(ports.map(String.init).joined(separator: ", ")))"
  }
}
