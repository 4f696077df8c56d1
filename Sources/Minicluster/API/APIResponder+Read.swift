internal import DevrunCore
internal import DevrunKube
internal import FoundationEssentials
internal import NIOCore

extension APIResponder {
  /// One object.
  func get(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let form = try Representation(request.request)
    return .json(form.object(try find(request), of: request.kind))
  }

  /// The object that a request names.
  ///
  /// - Throws: 404 if there is none.
  func find(_ request: ResourceRequest) throws(APIFailure) -> KubeObject {
    guard let object = store.object(request.kind, in: request.namespace, named: request.name) else {
      throw .notFound(request.kind, request.name)
    }
    return object
  }

  /// What the selectors of a request select.
  func selection(_ request: APIRequest) throws(APIFailure) -> Selection {
    try Selection(labels: request.value("labelSelector"), fields: request.value("fieldSelector"))
  }

  // MARK: - Lists

  /// A collection, or a page of one.
  ///
  /// The store keeps no old versions, so a later page shows the objects as they are now. Each page has the version of the
  /// first one: a watch from there brings all that has changed between the pages.
  func list(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let query = request.request
    let form = try Representation(query)
    let selection = try selection(query)
    let place = try query.value("continue").map { (token) throws(APIFailure) in try ListPlace(token) }
    let limit = try query.number("limit") ?? 0
    let snapshot = store.list(request.kind, in: request.namespace, where: selection)
    try check(query, against: snapshot.resourceVersion)
    let version = place?.version ?? snapshot.resourceVersion
    let rest = place.map { place in snapshot.objects.filter { place.isBefore($0) } } ?? snapshot.objects
    let page = limit > 0 ? Array(rest.prefix(limit)) : rest
    var metadata: JSONValue = ["resourceVersion": .string(String(version))]
    if page.count < rest.count, let last = page.last {
      metadata["continue"] = .string(ListPlace(version: version, after: last).token)
      if query.value("labelSelector") == nil, query.value("fieldSelector") == nil {
        metadata["remainingItemCount"] = .int(Int64(rest.count - page.count))
      }
    }
    return .json(form.list(page, of: request.kind, metadata: metadata))
  }

  /// Refuses versions that a list cannot have.
  private func check(_ query: APIRequest, against current: Int) throws(APIFailure) {
    let match = query.value("resourceVersionMatch")
    guard let version = try version(query) else {
      guard match != nil else { return }
      throw APIFailure(
        APIStatus(
          code: 422, reason: "Invalid",
          message: "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden: resourceVersionMatch is "
            + "forbidden unless resourceVersion is provided", details: APIStatus.Details(kind: "ListOptions")),
        group: "meta.k8s.io")
    }
    if version > current { throw .tooLarge(version: version, current: current) }
    if match == "Exact", version != current {
      throw APIFailure(
        APIStatus(
          code: 410, reason: "Expired", message: "The resourceVersion for the provided list is too old."))
    }
  }

  /// The `resourceVersion` of a query; `nil` if there is none.
  private func version(_ query: APIRequest) throws(APIFailure) -> Int? {
    guard let text = query.value("resourceVersion") else { return nil }
    guard let version = Int(text), version >= 0 else {
      throw APIFailure(
        APIStatus(
          code: 500,
          message: "resourceVersion: Invalid value: \"\(text)\": strconv.ParseUint: parsing \"\(text)\": invalid syntax"
        ))
    }
    return version
  }

  // MARK: - Watches

  /// The changes of a collection, one line each. A version that is too old ends the watch with an `ERROR` event, as in the
  /// API server: the client's own error handling expects it there.
  func watch(_ request: ResourceRequest) throws(APIFailure) -> APIAnswer {
    let query = request.request
    let form = try Representation(query)
    let selection = try selection(query)
    let version = try version(query).flatMap { $0 == 0 ? nil : $0 }
    let limit = try query.number("timeoutSeconds").map { Duration.seconds($0) } ?? .seconds(.random(in: 1800...3600))
    let lines = WatchLines(form: form, kind: request.kind, hasBookmarks: query.isSet("allowWatchBookmarks"))
    let changes: AsyncStream<ObjectStore.Change>
    do throws(APIFailure) {
      changes = try store.watch(request.kind, in: request.namespace, where: selection, since: version)
    } catch {
      let line = WatchLines.line("ERROR", error.json)
      return .stream(type: "application/json") { write in try await write(line) }
    }
    return .stream(type: "application/json") { write in
      try await withTimeLimit(limit) {
        var lines = lines
        for await change in changes {
          if let line = lines.line(of: change) { try await write(line) }
        }
      }
    }
  }
}

/// Writes changes as lines of a watch.
struct WatchLines: Sendable {
  var form: Representation
  var kind: ObjectKind
  var hasBookmarks: Bool
  private var isFirst = true

  init(form: Representation, kind: ObjectKind, hasBookmarks: Bool) {
    self.form = form
    self.kind = kind
    self.hasBookmarks = hasBookmarks
  }

  /// The line of a change; `nil` for one that the client did not ask for.
  mutating func line(of change: ObjectStore.Change) -> ByteBuffer? {
    switch change {
    case .added(let object): return line("ADDED", object)
    case .modified(let object): return line("MODIFIED", object)
    case .deleted(let object): return line("DELETED", object)
    case .bookmark(let version):
      return hasBookmarks ? Self.line("BOOKMARK", form.bookmark(resourceVersion: version, of: kind)) : nil
    }
  }

  private mutating func line(_ type: String, _ object: KubeObject) -> ByteBuffer {
    defer { isFirst = false }
    return Self.line(type, form.object(object, of: kind, hasColumns: isFirst))
  }

  static func line(_ type: String, _ object: JSONValue) -> ByteBuffer {
    ByteBuffer(bytes: (["type": .string(type), "object": object] as JSONValue).text + [UInt8(ascii: "\n")])
  }
}

/// Where a list goes on: the `continue` token.
struct ListPlace: Sendable, Hashable {
  /// The version of the first page.
  var version: Int
  private var namespace: String
  private var name: String

  /// The place behind an object.
  init(version: Int, after object: KubeObject) {
    self.version = version
    namespace = object.namespace ?? ""
    name = object.name
  }

  /// The place of a token.
  ///
  /// - Throws: 400 if it is none.
  init(_ token: String) throws(APIFailure) {
    guard let bytes = Data(base64Encoded: token), let json = try? JSONValue(text: bytes),
      let version = json["rv"]?.int, let namespace = json["namespace"]?.string, let name = json["name"]?.string
    else { throw .badRequest("invalid continue token: continue key is not valid") }
    self.version = version
    self.namespace = namespace
    self.name = name
  }

  /// The text that a client sends back.
  var token: String {
    let json: JSONValue = ["rv": .int(Int64(version)), "namespace": .string(namespace), "name": .string(name)]
    return Data(json.text).base64EncodedString()
  }

  /// Whether an object is behind this place.
  func isBefore(_ object: KubeObject) -> Bool { (namespace, name) < (object.namespace ?? "", object.name) }
}

/// Runs a body, and cancels it when a time has passed.
func withTimeLimit(_ limit: Duration, _ body: @escaping @Sendable () async throws -> Void) async throws {
  try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask { try await body() }
    group.addTask { try await Task.sleep(for: limit) }
    try await group.next()
    group.cancelAll()
  }
}
