internal import DevrunCore
internal import DevrunKube

extension APIResponder {
  /// Makes an object.
  func create(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    guard request.route.name == nil, !request.kind.isNamespaced || request.namespace != nil else {
      throw .methodNotAllowed()
    }
    let form = try Representation(request.request)
    var object = try body(of: request.request, as: request.kind)
    try requireNamespace(of: &object, request)
    let made = try store.create(
      object, of: request.kind, by: request.request.fieldManager, isDryRun: request.isDryRun)
    return .json(form.object(made, of: request.kind), status: 201)
  }

  /// Puts the body in place of an object.
  func update(_ request: ResourceRequest, part: ObjectStore.Part = .main) throws(APIFailure) -> APIAnswer {
    let form = try Representation(request.request)
    var object = try body(of: request.request, as: request.kind)
    guard object.name.isEmpty || object.name == request.name else {
      throw .badRequest(
        "the name of the object (\(object.name)) does not match the name on the URL (\(request.name))")
    }
    try requireNamespace(of: &object, request)
    let new = object
    let updated = try change(request, part) { (present) throws(APIFailure) in
      present = new
    }
    return .json(form.object(updated, of: request.kind))
  }

  /// Changes an object by a patch.
  func patch(_ request: ResourceRequest, part: ObjectStore.Part = .main) throws(APIFailure) -> APIAnswer {
    let form = try Representation(request.request)
    let patch = try Patch(request.request)
    let patched = try change(request, part) { (present) throws(APIFailure) in
      let name = present.name
      try patch.apply(to: &present.json)
      guard present.name == name else {
        throw .badRequest("the name of the object (\(present.name)) does not match the name on the URL (\(name))")
      }
    }
    return .json(form.object(patched, of: request.kind))
  }

  /// Changes the object that a request names.
  func change(
    _ request: ResourceRequest, _ part: ObjectStore.Part, _ body: (inout KubeObject) throws(APIFailure) -> Void
  ) throws(APIFailure) -> KubeObject {
    try store.update(
      request.kind, in: request.namespace, named: request.name, part: part, by: request.request.fieldManager,
      isDryRun: request.isDryRun, body)
  }

  /// Sets the namespace of the path in an object that has none.
  private func requireNamespace(of object: inout KubeObject, _ request: ResourceRequest) throws(APIFailure) {
    guard request.kind.isNamespaced, let namespace = request.namespace else { return }
    guard (object.namespace ?? namespace) == namespace else {
      throw .badRequest("the namespace of the provided object does not match the namespace sent on the request")
    }
    object.metadata["namespace"] = .string(namespace)
  }

  // MARK: - Deletions

  /// Deletes an object. An object that is on its way out, and the last state of a pod, are sent; else a success.
  func delete(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let form = try Representation(request.request)
    let deleted = try store.delete(
      request.kind, in: request.namespace, named: request.name, try deletion(request))
    let isThere = store.object(request.kind, in: request.namespace, named: request.name)?.uid == deleted.uid
    if isThere || [.pod, .service, .serviceAccount].contains(request.kind) {
      return .json(form.object(deleted, of: request.kind))
    }
    return .json(Self.success(request.kind, deleted))
  }

  /// Deletes all objects of a collection that are selected.
  func deleteCollection(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    guard ![.namespace, .service].contains(request.kind), !request.kind.isNamespaced || request.namespace != nil else {
      throw .methodNotAllowed()
    }
    let form = try Representation(request.request)
    let deletion = try deletion(request)
    let found = store.list(request.kind, in: request.namespace, where: try selection(request.request))
    var deleted: [KubeObject] = []
    for object in found.objects {
      do throws(APIFailure) {
        deleted.append(try store.delete(request.kind, in: object.namespace, named: object.name, deletion))
      } catch  where error.status.code == 404 {
        // Someone else was faster.
        continue
      }
    }
    let metadata: JSONValue = ["resourceVersion": .string(String(store.resourceVersion))]
    return .json(form.list(deleted, of: request.kind, metadata: metadata))
  }

  /// How to delete: the body (`meta/v1` DeleteOptions) and the query.
  private func deletion(_ request: ResourceRequest) throws(APIFailure) -> ObjectStore.Deletion {
    let query = request.request
    let options: JSONValue =
      query.body.isEmpty ? [:] : try json(of: query, words: "must be of type DeleteOptions")
    return try Self.deletion(
      options, gracePeriodSeconds: try query.number("gracePeriodSeconds"),
      propagationPolicy: query.value("propagationPolicy"), isDryRun: request.isDryRun)
  }

  static func deletion(
    _ options: JSONValue, gracePeriodSeconds: Int? = nil, propagationPolicy: String? = nil, isDryRun: Bool = false
  ) throws(APIFailure) -> ObjectStore.Deletion {
    let policy = options["propagationPolicy"]?.string ?? propagationPolicy
    if let policy, !["Background", "Foreground", "Orphan"].contains(policy) {
      let values = "supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\""
      throw APIFailure(
        APIStatus(
          code: 422, reason: "Invalid",
          message: "DeleteOptions.meta.k8s.io \"\" is invalid: propagationPolicy: Unsupported value: \"\(policy)\": "
            + values, details: APIStatus.Details(kind: "DeleteOptions")), group: "meta.k8s.io")
    }
    var deletion = ObjectStore.Deletion(
      gracePeriodSeconds: options["gracePeriodSeconds"]?.int ?? gracePeriodSeconds,
      propagationPolicy: policy ?? (options["orphanDependents"]?.bool == true ? "Orphan" : nil),
      uid: options[path: "preconditions", "uid"]?.string,
      resourceVersion: options[path: "preconditions", "resourceVersion"]?.string)
    let isDryOption = (options["dryRun"]?.array ?? []).contains("All")
    deletion.isDryRun = isDryRun || isDryOption
    return deletion
  }

  /// The `Status` of a deletion.
  static func success(_ kind: ObjectKind, _ object: KubeObject) -> JSONValue {
    var details: JSONValue = ["name": .string(object.name), "kind": .string(kind.resource)]
    if !kind.group.isEmpty { details["group"] = .string(kind.group) }
    if let uid = object.uid { details["uid"] = .string(uid) }
    return ["kind": "Status", "apiVersion": "v1", "metadata": [:], "status": "Success", "details": details]
  }
}

/// A patch of one of the types that are served here.
enum Patch: Sendable {
  case json(JSONPatchDocument)
  case merge(JSONValue)

  /// The patch of a request's body.
  ///
  /// - Throws: 415 for a strategic merge patch and for server-side apply; 400 and 422 for what is no patch.
  init(_ request: APIRequest) throws(APIFailure) {
    let types = ["application/json-patch+json", "application/merge-patch+json"]
    guard types.contains(request.contentType) else { throw .unsupportedMediaType(types) }
    let body: JSONValue
    do throws(JSONSyntaxError) {
      body = try JSONValue(text: request.body)
    } catch {
      throw .badRequest("error decoding patch: \(error.problem) at byte \(error.offset)")
    }
    self = request.contentType == types[0] ? .json(try JSONPatchDocument(body)) : .merge(body)
  }

  /// Changes a document.
  func apply(to document: inout JSONValue) throws(APIFailure) {
    switch self {
    case .json(let patch): try patch.apply(to: &document)
    case .merge(let patch):
      guard patch.object != nil else { throw .badRequest("error decoding patch: a merge patch must be an object") }
      MergePatch.apply(patch, to: &document)
    }
  }
}
