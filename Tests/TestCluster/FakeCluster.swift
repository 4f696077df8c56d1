internal import DevrunCore
package import DevrunKube
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// An API server in memory with the parts that a redirection meets: objects with versions and owners of fields, JSON
/// patches, watches, and a Deployment controller that acts at once.
package final class FakeCluster: Sendable {
  /// What a rule makes of a request: a refusal; `nil` lets it pass.
  package typealias Rule = @Sendable (_ request: String) -> FakeStatus?

  private struct Watcher {
    var collection: String
    var name: String?
    var channel: any Channel
  }

  private struct Event {
    var version: Int
    var key: String
    var name: String
    var line: [UInt8]
  }

  private struct State {
    var objects: [String: KubeObject] = [:]
    var version = 0
    var requests: [String] = []
    var requestsOfMetadata: [String] = []
    var watches: [String] = []
    var watchers: [Watcher] = []
    var events: [Event] = []
    var rule: Rule = { _ in nil }
    var hasController = true
  }

  /// The annotation in which the controller counts revisions.
  private static let revision = "deployment.kubernetes.io/revision"

  private let state = Mutex(State())

  /// The changes that were asked for, as `METHOD kind/name`.
  package var writes: [String] { state.withLock { $0.requests.filter { !$0.hasPrefix("GET") } } }

  /// All requests but watches, as `METHOD collection` or `METHOD kind/name`.
  package var requests: [String] { state.withLock(\.requests) }

  /// Those of the requests that ask for the metadata of objects alone.
  package var requestsOfMetadata: [String] { state.withLock(\.requestsOfMetadata) }

  /// The collections that were watched, in the order of the requests.
  package var watches: [String] { state.withLock(\.watches) }

  /// Refuses what a rule says from now on.
  package func refuse(_ rule: @escaping Rule) { state.withLock { $0.rule = rule } }

  /// Stops the Deployment controller.
  package func stopController() { state.withLock { $0.hasController = false } }

  /// The object of a path like `deployments/web`.
  package func object(_ key: String) -> KubeObject? { state.withLock { $0.objects[key] } }

  /// The keys of all objects of a collection, in order.
  package func keys(_ collection: String) -> [String] {
    state.withLock { $0.objects.keys.filter { $0.hasPrefix(collection + "/") }.sorted() }
  }

  /// Does what somebody else does: a change of an object, or its making.
  package func change(_ key: String, by manager: String = "kubectl", _ body: @Sendable (inout KubeObject) -> Void) {
    state.withLock { state in
      var object = state.objects[key] ?? Self.made(key, version: state.version)
      body(&object)
      Self.own(&object, manager)
      Self.store(key, object, &state)
    }
  }

  /// Deletes an object.
  package func delete(_ key: String) { state.withLock { Self.remove(key, &$0) } }

  // MARK: - Requests

  /// Why a watch is not opened: what a rule makes of `WATCH collection`. `nil` if it is opened.
  func watchRefusal(uri: String) -> (Int, JSONValue)? {
    let words = uri.prefix { $0 != "?" }.split(separator: "/")
    guard let index = words.firstIndex(of: "namespaces"), words.count > index + 2 else { return nil }
    let rule = state.withLock { $0.rule }
    return rule("WATCH \(words[index + 2])").map { ($0.code, $0.json) }
  }

  /// Answers a request. `nil` is a watch that was opened, or no answer at all.
  func answer(
    _ method: HTTPMethod, uri: String, ofMetadata: Bool, body: [UInt8], on channel: any Channel
  ) -> (Int, JSONValue)? {
    let parts = uri.split(separator: "?", maxSplits: 1).map(String.init)
    let words = parts[0].split(separator: "/").map(String.init)
    if words.last == "selfsubjectaccessreviews" { return (201, review(body)) }
    guard let index = words.firstIndex(of: "namespaces"), words.count > index + 2 else {
      // The user has rights in one namespace.
      return (403, FakeStatus.mayNot.json)
    }
    let collection = words[index + 2]
    let name = words.count > index + 3 ? words[index + 3] : nil
    let query = Query(parts.count > 1 ? parts[1] : "")
    let json = try? JSONValue(text: body)
    let request =
      "\(method.rawValue) \(collection)" + ((name ?? json.map { KubeObject($0).name }).map { "/\($0)" } ?? "")
    let rule = state.withLock { $0.rule }
    let isWatch = query["watch"] == "true"
    let refusal = isWatch ? nil : rule(request)
    return state.withLock { state in
      if isWatch {
        let watcher = Watcher(collection: collection, name: query.name, channel: channel)
        state.watchers.append(watcher)
        state.watches.append(collection)
        let since = query["resourceVersion"].flatMap { Int($0) } ?? 0
        for event in state.events where event.version > since { Self.send(event, to: watcher) }
        return nil
      }
      state.requests.append(request)
      if ofMetadata { state.requestsOfMetadata.append(request) }
      if let refusal { return refusal == .silence ? nil : (refusal.code, refusal.json) }
      return Self.perform(method, collection, name, query, json ?? [:], &state)
    }
  }

  /// The answer to whether the user may do something: what no rule refuses, as `may VERB resource` with the subresource and
  /// the name after slashes.
  private func review(_ body: [UInt8]) -> JSONValue {
    let asked = (try? JSONValue(text: body))?[path: "spec", "resourceAttributes"] ?? [:]
    let object = ["resource", "subresource", "name"].compactMap { asked[$0]?.string }.joined(separator: "/")
    let rule = state.withLock { $0.rule }
    return ["status": ["allowed": .bool(rule("may \(asked["verb"]?.string ?? "") \(object)") == nil)]]
  }

  private static func perform(
    _ method: HTTPMethod, _ collection: String, _ name: String?, _ query: Query, _ body: JSONValue,
    _ state: inout State
  ) -> (Int, JSONValue) {
    let key = "\(collection)/\(name ?? KubeObject(body).name)"
    switch (method, name) {
    case (.GET, nil):
      let field = query.name
      let items = state.objects.filter { path, object in
        path.hasPrefix(collection + "/") && (field == nil || object.name == field)
          && Self.selects(query["labelSelector"], object)
      }
      let sorted = items.sorted { $0.key < $1.key }.map(\.value.json)
      return (
        200, ["kind": "List", "metadata": ["resourceVersion": .string("\(state.version)")], "items": .array(sorted)]
      )
    case (.POST, _):
      guard state.objects[key] == nil else { return (409, FakeStatus.exists.json) }
      var object = KubeObject(body)
      let made = made(key, version: state.version)
      for field in ["uid", "creationTimestamp"] { object.metadata[field] = made.metadata[field] }
      store(key, object, &state)
      return (201, object.json)
    case (.DELETE, _):
      guard state.objects[key] != nil else { return (404, FakeStatus.notFound.json) }
      remove(key, &state)
      return (200, [:])
    case (.PATCH, _):
      guard var object = state.objects[key] else { return (404, FakeStatus.notFound.json) }
      own(&object, KubeClient.fieldManager)
      for operation in body.array ?? [] where !patch(&object, operation) { return (409, FakeStatus.conflict.json) }
      store(key, object, &state)
      return (200, state.objects[key]?.json ?? [:])
    default:
      guard let object = state.objects[key] else { return (404, FakeStatus.notFound.json) }
      return (200, object.json)
    }
  }

  private static func selects(_ selector: String?, _ object: KubeObject) -> Bool {
    (selector?.split(separator: ",") ?? []).allSatisfy { term in
      let parts = term.split(separator: "=").map(String.init)
      if parts[0].hasPrefix("!") { return object.labels[String(parts[0].dropFirst())] == nil }
      guard let value = object.labels[parts[0]] else { return false }
      return parts.count == 1 || value == parts[1]
    }
  }

  // MARK: - Objects

  private static func made(_ key: String, version: Int) -> KubeObject {
    let name = key.split(separator: "/").last.map(String.init) ?? ""
    return [
      "metadata": [
        "name": .string(name), "namespace": "ns", "uid": .string("uid-\(version)-\(name)"),
        "managedFields": [["manager": "kube-controller-manager", "operation": "Update", "fieldsV1": [:]]],
        "creationTimestamp": .string("2026-01-01T00:00:\(version < 10 ? "0" : "")\(version)Z"),
      ]
    ]
  }

  private static func own(_ object: inout KubeObject, _ manager: String) {
    var owners = object.managedFields?.array ?? []
    if !owners.contains(where: { $0["manager"]?.string == manager }) {
      let fields: JSONValue = ["f:spec": ["f:template": [:]]]
      owners.append(["manager": .string(manager), "operation": "Update", "fieldsV1": fields])
    }
    object.metadata["managedFields"] = .array(owners)
  }

  /// Applies one operation. Returns whether it fits.
  private static func patch(_ object: inout KubeObject, _ operation: JSONValue) -> Bool {
    let path = (operation["path"]?.string ?? "").split(separator: "/").map {
      String($0).replacing("~1", with: "/").replacing("~0", with: "~")
    }
    if path == ["metadata", "resourceVersion"] { return object.metadata["resourceVersion"] == operation["value"] }
    func set(_ value: JSONValue?, _ path: ArraySlice<String>) -> JSONValue? {
      guard let first = path.first else { return operation["op"]?.string == "remove" ? nil : operation["value"] }
      var value = value ?? [:]
      value[first] = set(value[first], path.dropFirst())
      return value
    }
    object.json = set(object.json, path[...]) ?? [:]
    return true
  }

  private static func store(_ key: String, _ object: KubeObject, _ state: inout State) {
    var object = object
    let before = state.objects[key]
    var unversioned = object
    unversioned.metadata["resourceVersion"] = before?.metadata["resourceVersion"]
    if unversioned == before { return }
    state.version += 1
    object.metadata["resourceVersion"] = .string("\(state.version)")
    if key.hasPrefix("deployments/") {
      object.json["kind"] = "Deployment"
      object.json["apiVersion"] = "apps/v1"
      if before?.spec != object.spec { object.metadata["generation"] = .int(Int64(object.generation + 1)) }
    }
    state.objects[key] = object
    send(before == nil ? "ADDED" : "MODIFIED", key, object, &state)
    control(&state)
  }

  private static func remove(_ key: String, _ state: inout State) {
    guard let object = state.objects.removeValue(forKey: key) else { return }
    state.version += 1
    send("DELETED", key, object, &state)
    control(&state)
  }

  private static func send(_ type: String, _ key: String, _ object: KubeObject, _ state: inout State) {
    var last = object
    last.metadata["resourceVersion"] = .string("\(state.version)")
    let line: JSONValue = ["type": .string(type), "object": last.json]
    let event = Event(
      version: state.version, key: key, name: object.name, line: line.text + [UInt8(ascii: "\n")])
    state.events.append(event)
    for watcher in state.watchers { send(event, to: watcher) }
  }

  private static func send(_ event: Event, to watcher: Watcher) {
    guard event.key.hasPrefix(watcher.collection + "/"), watcher.name ?? event.name == event.name else { return }
    let part = HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: event.line)))
    watcher.channel.writeAndFlush(part, promise: nil)
  }

  // MARK: - The Deployment controller

  /// What kube-controller-manager does with ReplicaSets and revisions.
  private static func control(_ state: inout State) {
    guard state.hasController else { return }
    for (key, deployment) in state.objects where key.hasPrefix("deployments/") {
      let owned = state.objects.filter { $0.key.hasPrefix("replicasets/") && $0.value.isOwned(by: deployment) }
      let present = owned.first { $0.value.template == deployment.template }
      func number(_ set: KubeObject) -> Int { Int(set.annotations[Self.revision] ?? "") ?? 0 }
      let highest = owned.filter { $0.key != present?.key }.map { number($0.value) }.max() ?? 0
      let setKey = present?.key ?? "replicasets/\(deployment.name)-\(state.version)"
      var set = present?.value ?? made(setKey, version: state.version)
      set.template = deployment.template
      set.labels = deployment.template.labels
      set.metadata["ownerReferences"] = [
        [
          "kind": "Deployment", "name": .string(deployment.name), "uid": deployment.metadata["uid"] ?? .null,
          "controller": true,
        ]
      ]
      var annotations = deployment.annotations.merging(set.annotations) { theirs, _ in theirs }
      annotations[Self.revision] = "\(max(highest + 1, number(set)))"
      set.annotations = annotations
      var updated = deployment
      updated.annotations[Self.revision] = annotations[Self.revision]
      var status = updated.json["status"] ?? [:]
      status["observedGeneration"] = .int(Int64(deployment.generation))
      updated.json["status"] = status
      store(setKey, set, &state)
      store(key, updated, &state)
    }
  }
}

/// A failure as the API server reports it.
package struct FakeStatus: Sendable, Hashable {
  var code: Int
  var reason: String
  var cause = ""
  var message: String?

  /// No answer.
  package static let silence = FakeStatus(code: 0, reason: "")
  /// There is no such object.
  package static let notFound = FakeStatus(code: 404, reason: "NotFound")
  /// There is an object of this name.
  package static let exists = FakeStatus(code: 409, reason: "AlreadyExists")
  /// Somebody else changed the object.
  package static let conflict = FakeStatus(code: 409, reason: "Conflict")
  /// Admission refuses it.
  package static let forbidden = FakeStatus(code: 403, reason: "Forbidden")
  /// The authorizer refuses it.
  package static let mayNot = FakeStatus(
    code: 403, reason: "Forbidden", message: #"x is forbidden: User "me" cannot patch resource "x" in the namespace"#)
  /// The server is away.
  package static let unavailable = FakeStatus(code: 503, reason: "ServiceUnavailable")
  /// The object is not valid.
  package static let invalid = FakeStatus(code: 422, reason: "Invalid")
  /// The namespace is being deleted.
  package static let namespaceEnds = FakeStatus(code: 403, reason: "Forbidden", cause: "NamespaceTerminating")

  var json: JSONValue {
    [
      "kind": "Status", "code": .int(Int64(code)), "reason": .string(reason), "message": .string(message ?? reason),
      "details": ["causes": cause.isEmpty ? [] : [["reason": .string(cause), "message": .string(cause)]]],
    ]
  }
}

/// The query of a URI.
private struct Query {
  private var values: [String: String] = [:]

  init(_ text: String) {
    for pair in text.split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1).map(String.init)
      values[parts[0]] = parts.count > 1 ? Self.decoded(parts[1]) : ""
    }
  }

  subscript(name: String) -> String? { values[name] }

  /// The name of the object that alone is meant. Other fields select nothing.
  var name: String? {
    let parts = (values["fieldSelector"] ?? "").split(separator: "=").map(String.init)
    return parts.count == 2 && parts[0] == "metadata.name" ? parts[1] : nil
  }

  /// What the client encodes of selectors.
  private static func decoded(_ text: String) -> String {
    text.replacing("%3D", with: "=").replacing("%2C", with: ",").replacing("%2F", with: "/").replacing("%21", with: "!")
  }
}
