// The files of a volume that shows objects of the API: configMap, secret, downwardAPI and projected
// (https://kubernetes.io/docs/concepts/storage/volumes/).

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// A file of a volume.
struct VolumeFile: Sendable, Hashable {
  /// The contents.
  var bytes: [UInt8]
  /// The permissions.
  var mode: UInt32
}

/// Why a volume cannot be mounted: an event reports it as `FailedMount`.
struct VolumeError: Error, Sendable, Hashable {
  /// What is wrong, in kubelet's words.
  var message: String
}

/// Makes the files of a pod's volumes.
struct VolumeContents {
  /// The pod's fields.
  var fields: PodFields
  /// Reads a ConfigMap of the pod's namespace.
  var configMap: (String) -> KubeObject?
  /// Reads a Secret of the pod's namespace.
  var secret: (String) -> KubeObject?
  /// Makes a token for the pod's service account.
  var token: (_ audience: String?, _ expirationSeconds: Int) -> String

  /// The files of a volume by their paths in it. `nil` if the volume is of another kind.
  func files(of volume: JSONValue) throws(VolumeError) -> [String: VolumeFile]? {
    if let source = volume["configMap"] {
      return try files(ofConfigMap: source, mode: mode(source["defaultMode"], or: 0o644))
    }
    if let source = volume["secret"] {
      return try files(ofSecret: source, name: "secretName", mode: mode(source["defaultMode"], or: 0o644))
    }
    if let source = volume["downwardAPI"] {
      return try files(ofFields: source, mode: mode(source["defaultMode"], or: 0o644))
    }
    guard let projected = volume["projected"] else { return nil }
    let mode = mode(projected["defaultMode"], or: 0o644)
    var files: [String: VolumeFile] = [:]
    for source in projected["sources"]?.array ?? [] {
      let more: [String: VolumeFile] =
        if let map = source["configMap"] {
          try self.files(ofConfigMap: map, mode: mode)
        } else if let secret = source["secret"] {
          try self.files(ofSecret: secret, name: "name", mode: mode)
        } else if let fields = source["downwardAPI"] {
          try self.files(ofFields: fields, mode: mode)
        } else if let token = source["serviceAccountToken"] {
          self.files(ofToken: token, mode: mode)
        } else {
          [:]
        }
      // Of two sources with one path, the later one is shown.
      files.merge(more) { $1 }
    }
    return files
  }

  private func files(ofConfigMap source: JSONValue, mode: UInt32) throws(VolumeError) -> [String: VolumeFile] {
    let name = source["name"]?.string ?? ""
    var values: [String: [UInt8]] = [:]
    if let map = configMap(name) {
      values = (map.json["data"]?.stringMap ?? [:]).mapValues { Array($0.utf8) }
      let binary = (map.json["binaryData"]?.stringMap ?? [:]).compactMapValues {
        Data(base64Encoded: $0).map(Array.init)
      }
      values.merge(binary) { $1 }
    } else if source["optional"]?.bool != true {
      throw VolumeError(message: "configmap \"\(name)\" not found")
    }
    return try files(of: values, source, mode: mode) { "configmap references non-existent config key: \($0)" }
  }

  private func files(
    ofSecret source: JSONValue, name field: String, mode: UInt32
  ) throws(VolumeError) -> [String: VolumeFile] {
    let name = source[field]?.string ?? ""
    let secret = secret(name)
    if secret == nil, source["optional"]?.bool != true {
      throw VolumeError(message: "secret \"\(name)\" not found")
    }
    return try files(of: secret?.secretBytes ?? [:], source, mode: mode) {
      "references non-existent secret key: \($0)"
    }
  }

  private func files(
    of values: [String: [UInt8]], _ source: JSONValue, mode: UInt32, _ refusal: (String) -> String
  ) throws(VolumeError) -> [String: VolumeFile] {
    guard let items = source["items"]?.array, !items.isEmpty else {
      return values.mapValues { VolumeFile(bytes: $0, mode: mode) }
    }
    var files: [String: VolumeFile] = [:]
    for item in items {
      let key = item["key"]?.string ?? ""
      guard let bytes = values[key] else {
        if source["optional"]?.bool == true { continue }
        throw VolumeError(message: refusal(key))
      }
      files[try path(of: item)] = VolumeFile(bytes: bytes, mode: self.mode(item["mode"], or: mode))
    }
    return files
  }

  private func files(ofFields source: JSONValue, mode: UInt32) throws(VolumeError) -> [String: VolumeFile] {
    var files: [String: VolumeFile] = [:]
    for item in source["items"]?.array ?? [] {
      let value: String?
      if let field = item[path: "fieldRef", "fieldPath"]?.string {
        value = fields.value(of: field)
      } else {
        value = fields.value(ofResource: item["resourceFieldRef"] ?? [:], container: nil)
      }
      guard let value else {
        throw VolumeError(message: "the downward API item \(item["path"]?.string ?? "") names no field of a pod")
      }
      files[try path(of: item)] = VolumeFile(bytes: Array(value.utf8), mode: self.mode(item["mode"], or: mode))
    }
    return files
  }

  private func files(ofToken source: JSONValue, mode: UInt32) -> [String: VolumeFile] {
    let token = token(source["audience"]?.string, source["expirationSeconds"]?.int ?? 3600)
    // The containers' users may read it: here each is the pod's one user.
    return [source["path"]?.string ?? "token": VolumeFile(bytes: Array(token.utf8), mode: mode)]
  }

  /// The path of an item. It must not lead out of the volume.
  private func path(of item: JSONValue) throws(VolumeError) -> String {
    let path = item["path"]?.string ?? ""
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    guard !path.isEmpty, !path.hasPrefix("/"), !path.hasPrefix(".."), !parts.contains("..") else {
      throw VolumeError(message: "invalid path \(path)")
    }
    return parts.filter { !$0.isEmpty && $0 != "." }.joined(separator: "/")
  }

  private func mode(_ mode: JSONValue?, or other: UInt32) -> UInt32 {
    mode?.int.flatMap { UInt32(exactly: $0) } ?? other
  }
}
