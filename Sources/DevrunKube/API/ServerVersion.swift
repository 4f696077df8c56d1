import DevrunCore

/// The version of an API server, as `GET /version` tells it.
public struct ServerVersion: Sendable, Hashable, CustomStringConvertible {
  /// The major version.
  public var major: Int
  /// The minor version.
  public var minor: Int
  /// The whole version (`v1.31.2-gke.1`).
  public var gitVersion: String

  /// The whole version.
  public var description: String { gitVersion }

  /// Reads the answer. Vendors write a minor version such as `20+`.
  init?(_ json: JSONValue) {
    func number(_ name: String) -> Int? { Int(json[name]?.string?.prefix(while: \.isNumber) ?? "") }
    guard let major = number("major"), let minor = number("minor") else { return nil }
    self.major = major
    self.minor = minor
    gitVersion = json["gitVersion"]?.string ?? "v\(major).\(minor)"
  }
}

extension KubeClient {
  /// Asks the server for its version. Needs no more than to be logged in; throws `KubeError`.
  public func serverVersion() async throws -> ServerVersion {
    let request = APIRequest(path: "/version", words: "tell its version")
    let json = try await send(request)
    guard let version = ServerVersion(json) else {
      throw KubeError.unexpectedResponse(request: request.words, server: server, problem: "it names no version")
    }
    return version
  }

  /// Whether the server serves a resource: its group, version and plural name as `path` has them. Throws `KubeError`.
  public func serves(_ path: ResourcePath) async throws -> Bool {
    let root = path.group.isEmpty ? "/api/" : "/apis/\(percentEncoded(path.group))/"
    do {
      let json = try await send(
        APIRequest(path: root + percentEncoded(path.version), words: "tell the resources of \(path.group)"))
      return json["resources"]?.array?.contains { $0["name"]?.string == path.resource } ?? false
    } catch let error as KubeError where error.isNotFound {
      return false
    }
  }

  /// Whether the user may do something (`verb`: `get`, `list`, `watch`, `create`, `patch`, `delete`, ...) to a resource, to
  /// one object of it where `path` has a name. Throws `KubeError`.
  public func may(_ verb: String, _ path: ResourcePath) async throws -> Bool {
    var attributes: JSONValue = [
      "verb": .string(verb), "group": .string(path.group), "version": .string(path.version),
      "resource": .string(path.resource),
    ]
    if let namespace = path.namespace { attributes["namespace"] = .string(namespace) }
    if let name = path.name { attributes["name"] = .string(name) }
    if let subresource = path.subresource { attributes["subresource"] = .string(subresource) }
    let review = try await create(
      [
        "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
        "spec": ["resourceAttributes": attributes],
      ], in: .selfSubjectAccessReviews)
    return review.status["allowed"]?.bool ?? false
  }

  /// Whether EndpointSlices of version 1 can be used in a namespace: served (Kubernetes 1.21 and later), and the user may
  /// list and watch them. Where not, Endpoints tell the same. Throws `KubeError`.
  public func mayUseEndpointSlices(in namespace: String?) async throws -> Bool {
    let slices = ResourcePath.endpointSlices(in: namespace)
    guard try await serves(slices) else { return false }
    async let list = may("list", slices)
    async let watch = may("watch", slices)
    let both = try await (list, watch)
    return both.0 && both.1
  }
}
