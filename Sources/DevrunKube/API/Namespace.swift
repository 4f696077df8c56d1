/// A namespace of a cluster: the API and the name, which travel together.
///
/// Its resources are paths for the verbs of `client`: `namespace.client.get(namespace.pods.named("web-0"))`.
public struct Namespace: Sendable {
  /// The API.
  public let client: KubeClient
  /// `metadata.name`
  public let name: String

  /// The namespace of a name.
  public init(_ name: String, client: KubeClient) {
    self.name = name
    self.client = client
  }

  /// Its pods.
  public var pods: ResourcePath { .pods(in: name) }
  /// Its Services.
  public var services: ResourcePath { .services(in: name) }
  /// Its ConfigMaps.
  public var configMaps: ResourcePath { .configMaps(in: name) }
  /// Its Deployments.
  public var deployments: ResourcePath { .deployments(in: name) }
  /// Its ReplicaSets.
  public var replicaSets: ResourcePath { .replicaSets(in: name) }

  /// Reads an object, or returns `nil` if there is none.
  ///
  /// - Throws: `KubeError`
  public func find(_ path: ResourcePath) async throws -> KubeObject? {
    do {
      return try await client.get(path)
    } catch let error as KubeError where error.isNotFound {
      return nil
    }
  }

  /// Deletes an object. One that is gone already counts as deleted.
  ///
  /// - Parameters:
  ///   - uid: the object is deleted only if it still is this very one.
  ///   - gracePeriodSeconds: how long its processes have to end; the object's own period where `nil`.
  /// - Throws: `KubeError`
  public func delete(_ path: ResourcePath, uid: String? = nil, gracePeriodSeconds: Int? = nil) async throws {
    do {
      try await client.delete(path, uid: uid, gracePeriodSeconds: gracePeriodSeconds)
    } catch let error as KubeError where error.isNotFound {
      return
    }
  }
}
