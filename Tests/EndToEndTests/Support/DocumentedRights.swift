/// What a user needs in the session's namespace, as the documentation lists it.
extension Right {
  /// Without one of these, devrun names it and begins nothing.
  static let required: [Right] = [
    Right(verbs: ["get", "list", "watch", "patch"], group: "apps", resource: "deployments"),
    Right(verbs: ["get", "list", "patch", "delete"], group: "apps", resource: "replicasets"),
    Right(verbs: ["get", "list", "watch", "create", "delete"], group: "", resource: "pods"),
    Right(verbs: ["get", "list", "create", "delete"], group: "", resource: "configmaps"),
    Right(verbs: ["get", "create"], group: "", resource: "pods/portforward"),
    Right(verbs: ["get", "list", "watch"], group: "", resource: "services"),
  ]

  /// Without one of these, a session lacks something that it does not need.
  static let optional: [Right] = [
    Right(verbs: ["list", "watch"], group: "", resource: "endpoints"),
    Right(verbs: ["get"], group: "", resource: "pods/log"),
  ]

  static let documented = required + optional

  /// Each of the required rights whose lack ends a run before it writes anything: one verb on one resource.
  ///
  /// A service is read and watched only where the command's view needs it; the lack of it is no reason not to begin.
  ///
  /// A pod or a ReplicaSet is read only where a pod or a Service names the target.
  static let askedFor: [Right] =
    required.flatMap { right in
      right.verbs.map { Right(verbs: [$0], group: right.group, resource: right.resource) }
    }.filter { right in
      switch right.resource {
      case "services": right.verbs == ["list"]
      case "replicasets", "pods": right.verbs != ["get"]
      default: true
      }
    }

  /// The rule of a Role.
  var rule: [String: [String]] { ["apiGroups": [group], "resources": [resource], "verbs": verbs] }

  /// These rights but for one.
  static func documented(without right: Right) -> [Right] {
    documented.compactMap { other in
      guard other.resource == right.resource else { return other }
      let verbs = other.verbs.filter { !right.verbs.contains($0) }
      return verbs.isEmpty ? nil : Right(verbs: verbs, group: other.group, resource: other.resource)
    }
  }
}
