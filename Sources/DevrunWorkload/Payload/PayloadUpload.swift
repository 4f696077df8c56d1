internal import DevrunCore
package import DevrunKube
internal import Foundation

/// The ConfigMaps that carry the agent into the cluster, by name.
package struct PayloadConfigMaps: Sendable, Hashable {
  /// The one with the key `loader`.
  package var loader: String
  /// Those with the agent's pieces, each under its file name.
  package var pieces: [String]
  /// The architecture that the agent was built for, as the node label `kubernetes.io/arch` names it.
  package var architecture: String
}

/// Brings the payload into the cluster: immutable ConfigMaps of the session, which go with it.
package struct PayloadUpload: Sendable {
  /// The namespace of the pods.
  var namespace: Namespace
  /// The session, part of the names.
  var session: String
  /// Who holds the session, as `user@machine`.
  var holder: String?

  /// An upload for a session.
  ///
  /// - Parameter holder: who holds the session, as `user@machine`; needed only to create.
  package init(in namespace: Namespace, session: String, holder: String? = nil) {
    self.namespace = namespace
    self.session = session
    self.holder = holder
  }

  /// The names of what will be there.
  package func names(of payload: Payload) -> PayloadConfigMaps {
    PayloadConfigMaps(
      loader: "devrun-\(session)-loader", pieces: payload.pieces.indices.map { "devrun-\(session)-\($0)" },
      architecture: payload.architecture)
  }

  /// Creates the ConfigMaps, all at once. Returns or throws when every request has its answer: one that was broken off
  /// could still be carried out, after the ConfigMaps of the others were deleted.
  ///
  /// - Parameter owner: the object with which they vanish, even if devrun never comes back.
  /// - Throws: `KubeError`
  package func create(_ payload: Payload, owner: KubeObject?) async throws {
    let names = names(of: payload)
    let parts =
      [(names.loader, "loader", payload.loader)] + zip(names.pieces, payload.pieces).map { ($0, $1.name, $1.bytes) }
    let failure = await withTaskGroup(of: (any Error)?.self) { group in
      for (name, key, bytes) in parts {
        group.addTask {
          do {
            try await namespace.client.create(
              configMap(name, key: key, bytes: bytes, owner: owner), in: namespace.configMaps,
              metadataOnly: true)
            return nil
          } catch {
            return error
          }
        }
      }
      return await group.reduce((any Error)?.none) { $0 ?? $1 }
    }
    if let failure { throw failure }
  }

  /// Deletes ConfigMaps. One that was never made, or that the garbage collector has deleted, counts as deleted.
  ///
  /// - Throws: `KubeError`
  package func delete(_ names: [String]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in names { group.addTask { try await namespace.delete(namespace.configMaps.named(name)) } }
      try await group.waitForAll()
    }
  }

  private func configMap(_ name: String, key: String, bytes: [UInt8], owner: KubeObject?) -> KubeObject {
    var map: KubeObject = [
      "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
      "metadata": ["name": .string(name), "namespace": .string(namespace.name)],
      "binaryData": [key: .string(Data(bytes).base64EncodedString())],
    ]
    map.labels = [SessionMark.key: session]
    if let holder { map.annotations = [SessionMark.holder: holder] }
    if let reference = owner?.ownerReference { map.metadata["ownerReferences"] = [reference] }
    return map
  }
}
