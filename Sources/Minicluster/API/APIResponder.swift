internal import DevrunCore
internal import DevrunKube
internal import NIOHTTP1

/// Answers requests: finds out what is asked for, whether the user may, and who answers it.
struct APIResponder: Sendable {
  /// The objects.
  let store: ObjectStore
  /// The node, for logs and ports of pods.
  let node: any NodeAccess

  /// A request for objects that the user may send.
  struct ResourceRequest: Sendable {
    var request: APIRequest
    var route: ResourceRoute
    var kind: ObjectKind

    /// The name of the object that is meant.
    var name: String { route.name ?? "" }
    /// The namespace in which the store looks.
    var namespace: String? { route.objectNamespace }
    /// Whether the change is only to be checked (`dryRun=All`).
    var isDryRun: Bool { request.query.contains { $0.name == "dryRun" && $0.value == "All" } }
  }

  /// The answer to a request. A request that is refused is answered by a `Status`.
  func answer(_ request: APIRequest) async -> APIAnswer {
    do throws(APIFailure) {
      guard let route = ResourceRoute(request.path) else { return try describe(request) }
      return try answer(request, route)
    } catch {
      return .failure(error)
    }
  }

  private func describe(_ request: APIRequest) throws(APIFailure) -> APIAnswer {
    guard AccessRules.allow(request.user, path: request.path) else {
      let path = "/" + request.path.joined(separator: "/")
      throw APIFailure(
        APIStatus(
          code: 403, reason: "Forbidden",
          message: "forbidden: User \"\(request.user.name)\" cannot \(request.method.rawValue.lowercased()) path "
            + "\"\(path)\""))
    }
    guard let answer = Discovery.answer(request.path) else { throw .unknownPath() }
    guard request.method == .GET else { throw .methodNotAllowed() }
    return answer
  }

  private func answer(_ request: APIRequest, _ route: ResourceRoute) throws(APIFailure) -> APIAnswer {
    guard let verb = route.verb(request) else { throw .methodNotAllowed() }
    try authorize(request.user, verb, route)
    if route.subresource == nil, let question = Discovery.questions.first(where: route.isOf) {
      guard verb == .create else { throw .methodNotAllowed() }
      return try answer(question, try body(of: request, as: question), request.user)
    }
    guard let kind = route.kind, kind.isNamespaced || route.namespace == nil || kind == .namespace else {
      throw .unknownPath()
    }
    let request = ResourceRequest(request: request, route: route, kind: kind)
    if let subresource = route.subresource { return try answer(subresource, verb, request) }
    switch verb {
    case .get: return try get(request)
    case .list: return try list(request)
    case .watch: return try watch(request)
    case .create: return try create(request)
    case .update: return try update(request)
    case .patch: return try patch(request)
    case .delete: return try delete(request)
    case .deletecollection: return try deleteCollection(request)
    }
  }

  /// Refuses what the user has no right to do. A resource that is not there is refused in the same way.
  func authorize(_ user: User, _ verb: Verb, _ route: ResourceRoute) throws(APIFailure) {
    let action = AccessRules.Action(
      verb: verb.rawValue, group: route.group, resource: route.resource, subresource: route.subresource,
      namespace: route.namespace, name: route.name)
    guard !AccessRules.allow(user, action) else { return }
    let kind = ObjectKind(group: route.group, version: route.version, kind: "", resource: route.resource)
    throw .forbidden(
      user: user.name, verb: verb.rawValue, kind, subresource: route.subresource, in: route.namespace,
      name: route.name ?? "")
  }

  /// The object of a kind that a request's body holds.
  ///
  /// - Throws: 415 or 400 if it holds something else.
  func body(of request: APIRequest, as kind: ObjectKind) throws(APIFailure) -> KubeObject {
    let object = KubeObject(try json(of: request, words: "must be of type \(kind.kind)"))
    let version = object.json["apiVersion"]?.string ?? kind.apiVersion
    let name = object.json["kind"]?.string ?? kind.kind
    guard name == kind.kind, version == kind.apiVersion else {
      throw .badRequest(
        "\(name) in version \"\(version)\" cannot be handled as a \(kind.kind): no kind \"\(name)\" is registered for "
          + "version \"\(version)\"")
    }
    return object
  }

  /// The JSON object of a request's body.
  func json(of request: APIRequest, words: String) throws(APIFailure) -> JSONValue {
    guard ["", "application/json"].contains(request.contentType) else {
      throw .unsupportedMediaType(["application/json"])
    }
    let problem: String
    do throws(JSONSyntaxError) {
      let json = try JSONValue(text: request.body)
      if json.object != nil { return json }
      problem = "json: cannot unmarshal this value into an object"
    } catch {
      problem = "\(error.problem) at byte \(error.offset)"
    }
    let text = String(decoding: request.body.prefix(256), as: UTF8.self)
    throw .badRequest(
      "the object provided is unrecognized (\(words)): couldn't get version/kind; json parse error: \(problem) (\(text))"
    )
  }
}

extension ResourceRoute {
  /// Whether this is the collection of a kind, or an object of it.
  func isOf(_ kind: ObjectKind) -> Bool {
    kind.group == group && kind.version == version && kind.resource == resource
  }
}
