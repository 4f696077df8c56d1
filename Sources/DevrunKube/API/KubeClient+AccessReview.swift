import DevrunCore

extension KubeClient {
  /// Whether the user may do something (`get`, `list`, `watch`, `create`, `patch`, `delete`, ...) to a resource, or to
  /// one object of it if `path` has a name. Throws `KubeError`.
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
}
