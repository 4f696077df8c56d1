internal import DevrunCore
package import DevrunKube

/// A kind of object that a user can name as a target.
///
/// A new kind is a conformance in a file of its own, and a line in `TargetKinds.all`.
package protocol TargetKind: Sendable {
  /// How users name the kind.
  var names: KindNames { get }

  /// Finds the workload that an object of this kind stands for.
  ///
  /// - Parameter reference: how the user named the object.
  /// - Throws: `WorkloadError`, `KubeError`
  func workload(_ reference: TargetReference, in namespace: Namespace) async throws -> Workload

  /// Objects of this kind that could be redirected, each as `kind/name` with a few words: for people.
  ///
  /// - Throws: `KubeError`
  func candidates(in namespace: Namespace) async throws -> [String]
}

extension TargetKind {
  /// No object of the kind is proposed, though one may be named.
  package func candidates(in namespace: Namespace) async throws -> [String] { [] }

  /// Reads the object that a reference names.
  ///
  /// - Throws: `WorkloadError.targetNotFound` with what there is, `KubeError`
  func object(_ reference: TargetReference, in namespace: Namespace) async throws -> KubeObject {
    if let object = try await namespace.find(names.collection(in: namespace).named(reference.name)) { return object }
    throw WorkloadError.targetNotFound(
      "\(reference)", namespace: namespace.name, candidates: try await TargetKinds.candidates(in: namespace))
  }

  /// `kind/name  (port 80, 81)`
  func candidate(_ object: KubeObject, ports: [Int]) -> String {
    let list = ports.isEmpty ? "" : "  (port \(ports.map(String.init).joined(separator: ", ")))"
    return "\(names.singular)/\(object.name)" + list
  }
}

/// The kinds of target.
package enum TargetKinds {
  /// All of them, in the order in which people read them.
  static let all: [any TargetKind] = [
    DeploymentTarget(), UnsupportedTarget.statefulSet, UnsupportedTarget.daemonSet, UnsupportedTarget.replicaSet,
    PodTarget(), ServiceTarget(),
  ]

  /// The workload behind a reference.
  ///
  /// - Throws: `WorkloadError`, `KubeError`
  package static func workload(_ reference: TargetReference, in namespace: Namespace) async throws -> Workload {
    guard let kind = all.first(where: { $0.names == reference.kind }) else {
      throw WorkloadError.unsupportedTarget("\(reference)", why: "a \(reference.kind.singular) is not supported yet")
    }
    async let services = services(in: namespace)
    var workload = try await kind.workload(reference, in: namespace)
    workload.services = try await services
    workload.servicePorts =
      workload.namingPorts + ServiceTarget.targetPorts(of: workload.services, selecting: workload.template)
    return workload
  }

  /// The Services of a namespace. None for a user who may not list them: they add ports, and nothing depends on them.
  private static func services(in namespace: Namespace) async throws -> [KubeObject] {
    do {
      return try await namespace.client.list(namespace.services).items
    } catch let error as KubeError where error.isForbidden {
      return []
    }
  }

  /// What could be redirected in a namespace, as `kind/name` with a few words: for people. Kinds that the user may not list
  /// are left out.
  ///
  /// - Throws: `KubeError`
  package static func candidates(in namespace: Namespace) async throws -> [String] {
    try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
      for (index, kind) in all.enumerated() {
        group.addTask {
          do {
            return (index, try await kind.candidates(in: namespace).sorted())
          } catch let error as KubeError where error.isForbidden {
            return (index, [])
          }
        }
      }
      var found: [Int: [String]] = [:]
      for try await (index, candidates) in group { found[index] = candidates }
      return all.indices.flatMap { found[$0] ?? [] }
    }
  }
}
