internal import DevrunCore
internal import DevrunKube

extension APIResponder {
  /// Answers a request for a part of an object.
  func answer(_ subresource: String, _ verb: Verb, _ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    switch subresource {
    case "status" where request.kind.hasStatus:
      switch verb {
      case .get: return try get(request)
      case .update: return try update(request, part: .status)
      case .patch: return try patch(request, part: .status)
      default: throw .methodNotAllowed()
      }
    case "scale" where request.kind.hasScale: return try scale(verb, request)
    case "log" where request.kind == .pod:
      guard verb == .get else { throw .methodNotAllowed() }
      return try log(request)
    case "eviction" where request.kind == .pod:
      guard verb == .create else { throw .methodNotAllowed() }
      return try evict(request)
    case "portforward" where request.kind == .pod:
      return try refusePortForward(request)
    case "exec" where request.kind == .pod, "attach" where request.kind == .pod:
      throw APIFailure(
        APIStatus(code: 501, reason: "NotImplemented", message: "the minicluster does not serve pods/\(subresource)"))
    default: throw .unknownPath()
    }
  }

  /// Says why a request to forward ports is no WebSocket: those that are do not come here.
  private func refusePortForward(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    _ = try find(request)
    if PortForwardRequest.isAsked(by: request.request.headers) {
      // Refuses what it names, and a user who may read, but not `create`, which an upgrade takes since Kubernetes 1.35.
      try authorize(request.request.user, .create, request.route)
      _ = try PortForwardRequest(request, store: store)
    }
    throw .badRequest(
      "unable to upgrade: the minicluster forwards ports over WebSocket (\(PortForwardRequest.subprotocol)) alone")
  }

  // MARK: - Scale

  /// Reads or sets the number of replicas (`autoscaling/v1` Scale).
  private func scale(_ verb: Verb, _ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let query = request.request
    switch verb {
    case .get: return .json(Self.scale(of: try find(request)))
    case .update:
      let scale = ObjectKind(group: "autoscaling", kind: "Scale", resource: request.kind.resource)
      let new = try body(of: query, as: scale)
      return try setScale(request) { (scale) throws(APIFailure) in scale = new.json }
    case .patch:
      let patch = try Patch(query)
      return try setScale(request) { (scale) throws(APIFailure) in try patch.apply(to: &scale) }
    default: throw .methodNotAllowed()
    }
  }

  private func setScale(
    _ request: ResourceRequest, _ body: (inout JSONValue) throws(APIFailure) -> Void
  ) throws(APIFailure) -> APIAnswer {
    let changed = try change(request, .scale) { (object) throws(APIFailure) in
      var scale = Self.scale(of: object)
      try body(&scale)
      let replicas = scale[path: "spec", "replicas"]?.int ?? 0
      guard replicas >= 0 else {
        let problem = "Invalid value: \(replicas): must be greater than or equal to 0"
        throw APIFailure(
          APIStatus(
            code: 422, reason: "Invalid",
            message: "Scale.autoscaling \"\(request.name)\" is invalid: spec.replicas: \(problem)",
            causes: [APIStatus.Cause(reason: "FieldValueInvalid", message: problem, field: "spec.replicas")],
            details: APIStatus.Details(name: request.name, kind: "Scale")), group: "autoscaling")
      }
      object.spec["replicas"] = .int(Int64(replicas))
      if let version = scale[path: "metadata", "resourceVersion"] { object.metadata["resourceVersion"] = version }
    }
    return .json(Self.scale(of: changed))
  }

  static func scale(of object: KubeObject) -> JSONValue {
    var metadata: JSONValue = [:]
    for name in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
      metadata[name] = object.metadata[name]
    }
    return [
      "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": metadata,
      "spec": ["replicas": object.spec["replicas"] ?? 0],
      "status": ["replicas": object.status["replicas"] ?? 0, "selector": .string(object.labelSelector)],
    ]
  }

  // MARK: - Eviction

  /// Deletes a pod for `kubectl drain`. Disruption budgets are not looked at.
  private func evict(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let eviction = try json(of: request.request, words: "must be of type Eviction")
    var deletion = try Self.deletion(eviction["deleteOptions"] ?? [:])
    deletion.isDryRun = deletion.isDryRun || request.isDryRun
    try store.delete(.pod, in: request.namespace, named: request.name, deletion)
    return .json(
      ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "code": 201], status: 201)
  }

  // MARK: - Questions

  /// Answers a question about the user (`authorization.k8s.io/v1` and `authentication.k8s.io/v1`).
  func answer(_ question: ObjectKind, _ object: KubeObject, _ user: User) throws(APIFailure) -> APIAnswer {
    var answer = object
    answer.json["apiVersion"] = .string(question.apiVersion)
    answer.json["kind"] = .string(question.kind)
    answer.metadata["creationTimestamp"] = .null
    switch question.kind {
    case "SelfSubjectAccessReview":
      answer.json["status"] = ["allowed": .bool(try mayDo(object.spec, user))]
    case "SelfSubjectRulesReview":
      guard let namespace = object.spec["namespace"]?.string, !namespace.isEmpty else {
        throw .badRequest("no namespace on request")
      }
      answer.json["status"] = Self.rules(of: user, in: namespace)
    default:
      let groups = JSONValue.array(user.groups.map(JSONValue.string))
      answer.json["status"] = ["userInfo": ["username": .string(user.name), "groups": groups]]
    }
    return .json(answer.json, status: 201)
  }

  private func mayDo(_ spec: JSONValue, _ user: User) throws(APIFailure) -> Bool {
    if let attributes = spec["nonResourceAttributes"] {
      let path = attributes["path"]?.string ?? ""
      return AccessRules.allow(user, path: path.split(separator: "/").map(String.init))
    }
    guard let attributes = spec["resourceAttributes"] else {
      throw APIFailure(
        APIStatus(
          code: 422, reason: "Invalid",
          message: "SelfSubjectAccessReview.authorization.k8s.io \"\" is invalid: spec.resourceAttributes: Invalid "
            + "value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
          details: APIStatus.Details(kind: "SelfSubjectAccessReview")), group: "authorization.k8s.io")
    }
    func text(_ name: String) -> String? { attributes[name]?.string.flatMap { $0.isEmpty ? nil : $0 } }
    return AccessRules.allow(
      user,
      AccessRules.Action(
        verb: text("verb") ?? "", group: text("group") ?? "", resource: text("resource") ?? "",
        subresource: text("subresource"), namespace: text("namespace"), name: text("name")))
  }

  private static func rules(of user: User, in namespace: String) -> JSONValue {
    let all = AccessRules.Rule(groups: ["*"], resources: ["*"], verbs: ["*"])
    let rules = AccessRules.isAdministrator(user) ? [all] : AccessRules.rules(of: user, in: namespace)
    func texts(_ texts: [String]) -> JSONValue { .array(texts.map(JSONValue.string)) }
    return [
      "incomplete": false, "nonResourceRules": [],
      "resourceRules": .array(
        rules.map { rule in
          ["apiGroups": texts(rule.groups), "resources": texts(rule.resources), "verbs": texts(rule.verbs)]
        }),
    ]
  }
}
