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

  /// All of them.
  var all: [String] { [loader] + pieces }
}

/// Brings the payload into the cluster: immutable ConfigMaps of the session, which go with it.
///
/// A request to create one can be broken off. The server may carry such a request out all the same, even after a later
/// request to delete. So `delete` is enough only if every request to create had its answer; `clear` is for the other case.
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

  /// Creates the ConfigMaps, all at once. One that is there already stays as it is.
  ///
  /// On a slow line that takes minutes, so it ends with the first failure, and when the task is cancelled. The requests
  /// that are under way then are broken off.
  ///
  /// - Parameter names: the names of those to create; `nil` for all.
  /// - Throws: `KubeError`, `CancellationError`
  func create(_ payload: Payload, only names: Set<String>? = nil) async throws {
    let known = self.names(of: payload)
    let parts =
      [(known.loader, "loader", payload.loader)] + zip(known.pieces, payload.pieces).map { ($0, $1.name, $1.bytes) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (name, key, bytes) in parts where names?.contains(name) ?? true {
        group.addTask { try await create(configMap(name, key: key, bytes: bytes)) }
      }
      // Not `waitForAll`, which goes on after a failure.
      for try await () in group {}
    }
  }

  private func create(_ map: KubeObject) async throws {
    do {
      try await namespace.client.create(map, in: namespace.configMaps, metadataOnly: true)
    } catch let error as KubeError where error.isAlreadyExists {
      return
    }
  }

  /// The names of the session's ConfigMaps that are there, without the record of what it changed.
  ///
  /// - Returns: the names; `nil` if the user lacks the right to list ConfigMaps, which a session does not need.
  /// - Throws: `KubeError`
  func present() async throws -> [String]? {
    do {
      let maps = try await namespace.client.list(
        namespace.configMaps, labelSelector: "\(SessionMark.key)=\(session)", metadataOnly: true)
      return maps.items.filter { $0.labels[SessionMark.record] == nil }.map(\.name)
    } catch let error as KubeError where error.isForbidden {
      return nil
    }
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

  /// Deletes ConfigMaps after an upload that was broken off, and what the server still makes of it meanwhile: until the
  /// session has had none twice in a row.
  ///
  /// - Parameters:
  ///   - names: the ConfigMaps that were uploaded.
  ///   - patience: how long that may go on.
  ///   - pause: the time from one look to the next.
  /// - Throws: `KubeError`
  func clear(_ names: [String], for patience: Duration = .seconds(15), every pause: Duration = .seconds(1)) async throws
  {
    let end = ContinuousClock.now + patience
    var absences = 0
    try await delete(names)
    while absences < 2, ContinuousClock.now < end {
      if let left = try await present() {
        absences = left.isEmpty ? absences + 1 : 0
        try await delete(left)
      } else {
        // Whether they are there cannot be seen.
        absences += 1
        try await delete(names)
      }
      if absences < 2 { try await Task.sleep(for: pause) }
    }
  }

  private func configMap(_ name: String, key: String, bytes: [UInt8]) -> KubeObject {
    var map: KubeObject = [
      "apiVersion": "v1", "kind": "ConfigMap", "immutable": true,
      "metadata": ["name": .string(name), "namespace": .string(namespace.name)],
      "binaryData": [key: .string(Data(bytes).base64EncodedString())],
    ]
    map.labels = [SessionMark.key: session]
    if let holder { map.annotations = [SessionMark.holder: holder] }
    return map
  }
}
