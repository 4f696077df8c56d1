internal import DevrunCore

// Which API there is: what clients read before they ask for objects
// (https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api, in its unaggregated form, which every
// client reads).

/// Answers the paths that describe the API and the server's health.
enum Discovery {
  /// The version that the server has in its own words.
  static let gitVersion = "v1.34.0+minicluster"

  /// Kinds that are only made, as questions: they are answered and not kept.
  static let questions = [
    ObjectKind(
      group: "authorization.k8s.io", kind: "SelfSubjectAccessReview", resource: "selfsubjectaccessreviews",
      isNamespaced: false),
    ObjectKind(
      group: "authorization.k8s.io", kind: "SelfSubjectRulesReview", resource: "selfsubjectrulesreviews",
      isNamespaced: false),
    ObjectKind(
      group: "authentication.k8s.io", kind: "SelfSubjectReview", resource: "selfsubjectreviews", isNamespaced: false),
  ]

  private static let verbs: [JSONValue] = [
    "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
  ]

  /// The answer for a path that is no resource; `nil` if there is nothing.
  static func answer(_ path: [String]) -> APIAnswer? {
    switch path.first {
    case nil: return .json(["paths": .array(paths.map(JSONValue.string))])
    case "version"? where path.count == 1: return .json(version)
    case "healthz"?, "livez"?, "readyz"?: return path.count == 1 ? .text("ok") : nil
    case "api"? where path.count == 1:
      return .json(["kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []])
    case "api"? where path == ["api", "v1"]: return .json(resources(of: "", version: "v1"))
    case "apis"? where path.count == 1:
      return .json([
        "kind": "APIGroupList", "apiVersion": "v1", "groups": .array(groups.map { group($0, isNested: true) }),
      ])
    case "apis"? where path.count == 2 && groups.contains(path[1]): return .json(group(path[1]))
    case "apis"? where path.count == 3 && groups.contains(path[1]) && path[2] == "v1":
      return .json(resources(of: path[1], version: path[2]))
    case "openapi"? where path == ["openapi", "v2"]:
      // kubectl reads this form alone: an `openapi.v2.Document` with `swagger: "2.0"` and no schema, so that it checks
      // nothing before it sends an object.
      return .bytes(
        [0x0a, 0x03] + Array("2.0".utf8), type: "application/com.github.proto-openapi.spec.v2.v1.0+protobuf")
    default: return nil
    }
  }

  /// All groups but the core one.
  private static let groups: [String] = (ObjectKind.all + questions).reduce(into: []) { groups, kind in
    if !kind.group.isEmpty, !groups.contains(kind.group) { groups.append(kind.group) }
  }

  private static let paths =
    ["/api", "/api/v1", "/apis"] + groups.flatMap { ["/apis/\($0)", "/apis/\($0)/v1"] }
    + ["/healthz", "/livez", "/openapi/v2", "/readyz", "/version"]

  private static let version: JSONValue = [
    "major": "1", "minor": "34", "gitVersion": .string(gitVersion), "gitCommit": "", "gitTreeState": "clean",
    "buildDate": "2025-08-27T10:09:04Z", "goVersion": "", "compiler": "swift", "platform": "linux/amd64",
  ]

  private static func group(_ name: String, isNested: Bool = false) -> JSONValue {
    let version: JSONValue = ["groupVersion": .string("\(name)/v1"), "version": "v1"]
    var group: JSONValue = ["name": .string(name), "versions": [version], "preferredVersion": version]
    if !isNested {
      group["kind"] = "APIGroup"
      group["apiVersion"] = "v1"
    }
    return group
  }

  private static func resources(of group: String, version: String) -> JSONValue {
    let kinds = ObjectKind.all.filter { $0.group == group }
    let questions = questions.filter { $0.group == group }.map { resource($0, verbs: ["create"]) }
    return [
      "kind": "APIResourceList", "apiVersion": "v1",
      "groupVersion": .string(group.isEmpty ? version : "\(group)/\(version)"),
      "resources": .array(kinds.flatMap(resources(of:)) + questions),
    ]
  }

  private static func resources(of kind: ObjectKind) -> [JSONValue] {
    var main = resource(kind, verbs: verbs)
    if !kind.shortNames.isEmpty { main["shortNames"] = .array(kind.shortNames.map(JSONValue.string)) }
    let isShown: Set<ObjectKind> = [.pod, .service, .deployment, .replicaSet, .statefulSet, .daemonSet]
    if isShown.contains(kind) { main["categories"] = ["all"] }
    var all = [main]
    if kind.hasStatus { all.append(resource(kind, "status", verbs: ["get", "patch", "update"])) }
    if kind.hasScale {
      let scale = ObjectKind(group: "autoscaling", kind: "Scale", resource: kind.resource)
      all.append(resource(scale, "scale", verbs: ["get", "patch", "update"], hasOwnGroup: true))
    }
    if kind == .pod {
      let eviction = ObjectKind(group: "policy", kind: "Eviction", resource: "pods")
      all.append(resource(eviction, "eviction", verbs: ["create"], hasOwnGroup: true))
      all.append(resource(kind, "log", verbs: ["get"]))
      let forward = ObjectKind(kind: "PodPortForwardOptions", resource: "pods")
      all.append(resource(forward, "portforward", verbs: ["create", "get"]))
    }
    return all
  }

  private static func resource(
    _ kind: ObjectKind, _ subresource: String? = nil, verbs: [JSONValue], hasOwnGroup: Bool = false
  ) -> JSONValue {
    var json: JSONValue = [
      "name": .string(kind.resource + (subresource.map { "/\($0)" } ?? "")),
      "singularName": .string(subresource == nil ? kind.singular : ""), "namespaced": .bool(kind.isNamespaced),
      "kind": .string(kind.kind), "verbs": .array(verbs),
    ]
    if hasOwnGroup {
      json["group"] = .string(kind.group)
      json["version"] = .string(kind.version)
    }
    return json
  }
}
