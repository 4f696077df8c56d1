internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// The agent as `make build` leaves it beside the binary: the loader, and the gzipped agent cut into pieces that fit in
/// a ConfigMap each.
struct Payload: Sendable {
  /// The static loader.
  var loader: [UInt8]
  /// The pieces' file names and bytes, in order.
  var pieces: [(name: String, bytes: [UInt8])]
  /// The architecture they are for, as the node label `kubernetes.io/arch` names it.
  var architecture: String

  /// Reads the payload of a folder.
  ///
  /// - Throws: `SessionError.payloadMissing`
  init(directory: String) throws {
    func read(_ name: String) throws -> [UInt8] {
      do {
        return Array(try Data(contentsOf: URL(fileURLWithPath: "\(directory)/\(name)")))
      } catch let error as CocoaError {
        throw SessionError.payloadMissing("\(directory)/\(name)", cause: error.localizedDescription)
      }
    }
    loader = try read("loader")
    architecture = String(decoding: try read("architecture"), as: UTF8.self)
      .trimmingCharacters(in: .whitespacesAndNewlines)
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasPrefix("agent.gz.") }
    } catch let error as CocoaError {
      throw SessionError.payloadMissing(directory, cause: error.localizedDescription)
    }
    guard !names.isEmpty else { throw SessionError.payloadMissing(directory, cause: "it holds no piece of the agent") }
    pieces = try names.sorted().map { ($0, try read($0)) }
  }

  /// Where the payload lies.
  ///
  /// - Throws: `SessionError.payloadMissing`
  static func directory() throws -> String {
    guard let loader = Installation.path(of: "loader") else {
      throw SessionError.payloadMissing(
        Installation.folders[0], cause: "nor is it in \(Installation.folders.dropFirst().joined(separator: ", "))")
    }
    return String(loader.dropLast("/loader".count))
  }
}

/// Brings the payload into the cluster: immutable ConfigMaps of the session, which go with it.
struct PayloadUpload: Sendable {
  /// The label that names the session of an object.
  static let label = "devrun.dev/session"

  /// The API.
  var client: KubeClient
  /// The namespace of the pods.
  var namespace: String
  /// The session, part of the names.
  var session: String

  /// The names of what will be there.
  func names(of payload: Payload) -> PayloadConfigMaps {
    PayloadConfigMaps(
      loader: "devrun-\(session)-loader", pieces: payload.pieces.indices.map { "devrun-\(session)-\($0)" },
      architecture: payload.architecture)
  }

  /// Creates the ConfigMaps, all at once.
  ///
  /// - Parameter owner: the object with which they vanish, even if devrun never comes back.
  /// - Throws: `KubeError`
  func create(_ payload: Payload, owner: JSONValue?) async throws {
    let names = names(of: payload)
    let parts =
      [(names.loader, "loader", payload.loader)] + zip(names.pieces, payload.pieces).map { ($0, $1.name, $1.bytes) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      for (name, key, bytes) in parts {
        group.addTask {
          try await client.create(
            configMap(name, key: key, bytes: bytes, owner: owner), in: .configMaps(in: namespace))
        }
      }
      try await group.waitForAll()
    }
  }

  /// Deletes what there is of the session.
  ///
  /// - Throws: `KubeError`
  func delete(_ names: [String]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for name in names {
        group.addTask {
          do {
            try await client.delete(.configMaps(in: namespace).named(name))
          } catch let error as KubeError where error.isNotFound {
            return  // It was never made, or the garbage collector was faster.
          }
        }
      }
      try await group.waitForAll()
    }
  }

  private func configMap(_ name: String, key: String, bytes: [UInt8], owner: JSONValue?) -> JSONValue {
    var metadata: JSONValue = [
      "name": .string(name), "namespace": .string(namespace), "labels": [Self.label: .string(session)],
    ]
    if let owner, let kind = owner["kind"], let version = owner["apiVersion"], let uid = owner["metadata"]?["uid"] {
      metadata["ownerReferences"] = [
        ["apiVersion": version, "kind": kind, "name": owner["metadata"]?["name"] ?? "", "uid": uid]
      ]
    }
    return [
      "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "immutable": true,
      "binaryData": [key: .string(Data(bytes).base64EncodedString())],
    ]
  }
}
