public import DevrunCore
import NIOHTTP1

/// What a list gives.
public struct ResourceList: Sendable, Hashable {
  /// The objects. Each has `apiVersion` and `kind`, which the server leaves out of a list's items.
  public var items: [KubeObject]
  /// The version that the whole list is of: where a watch begins.
  public var resourceVersion: String
}

/// What happens to the objects that an object owns when it is deleted.
public enum PropagationPolicy: String, Sendable, Hashable {
  /// They stay, without an owner.
  case orphan = "Orphan"
  /// They are deleted afterwards.
  case background = "Background"
  /// They are deleted before it.
  case foreground = "Foreground"
}

/// All of these throw `KubeError`, or `CancellationError` where the task is cancelled.
extension KubeClient {
  /// Who changes objects, as their `managedFields` say.
  public static let fieldManager = "devrun"

  private static let fieldManagerQuery = [(name: "fieldManager", value: fieldManager)]

  /// Reads one object, or a subresource of one. With `metadataOnly` the answer is a `PartialObjectMetadata`: for objects
  /// whose content is large and not of interest.
  public func get(_ path: ResourcePath, metadataOnly: Bool = false) async throws -> KubeObject {
    var request = APIRequest(.GET, "get", path)
    request.metadataOnly = metadataOnly
    return KubeObject(try await send(request))
  }

  /// Reads all objects of a collection that fit the selectors (the text forms that the API has for them). With
  /// `metadataOnly` the items are `PartialObjectMetadata`.
  public func list(
    _ path: ResourcePath, labelSelector: String? = nil, fieldSelector: String? = nil, metadataOnly: Bool = false
  ) async throws -> ResourceList {
    try await list(
      path, selectors: Self.query(labelSelector: labelSelector, fieldSelector: fieldSelector),
      metadataOnly: metadataOnly)
  }

  /// Makes an object; `path` is the collection, or an object's subresource that is made (`binding`, `eviction`).
  ///
  /// Returns the object as the server keeps it; with `metadataOnly` a `PartialObjectMetadata` of it, which spares the
  /// way back to a large content.
  @discardableResult
  public func create(
    _ object: KubeObject, in path: ResourcePath, metadataOnly: Bool = false
  ) async throws -> KubeObject {
    var named = path
    // For the error's words alone; the server takes the name from the object.
    named.name = path.name ?? (object.name.isEmpty ? nil : object.name)
    var request = APIRequest(.POST, "create", named, query: Self.fieldManagerQuery, body: object.json)
    request.path = path.urlPath
    request.metadataOnly = metadataOnly
    return KubeObject(try await send(request))
  }

  /// Replaces an object. Where the given one has a `metadata.resourceVersion`, only if nobody changed it meanwhile.
  @discardableResult
  public func replace(_ object: KubeObject, at path: ResourcePath) async throws -> KubeObject {
    KubeObject(try await send(APIRequest(.PUT, "replace", path, query: Self.fieldManagerQuery, body: object.json)))
  }

  /// Changes an object by a JSON patch (RFC 6902), whole or not at all. A `test` that fails is an error for which
  /// `isInvalid` is true.
  @discardableResult
  public func patch(_ path: ResourcePath, _ operations: [JSONPatchOperation]) async throws -> KubeObject {
    var request = APIRequest(
      .PATCH, "patch", path, query: Self.fieldManagerQuery, body: .array(operations.map(\.json)))
    request.contentType = "application/json-patch+json"
    return KubeObject(try await send(request))
  }

  /// Deletes an object.
  ///
  /// - Parameters:
  ///   - uid: Only if it is still this very object; another one of the same name makes it a conflict.
  ///   - resourceVersion: Only if nobody changed it meanwhile.
  ///   - propagationPolicy: What happens to what it owns; the server's default where `nil`.
  ///   - gracePeriodSeconds: How long its processes have to end; the object's own period where `nil`.
  @discardableResult
  public func delete(
    _ path: ResourcePath, uid: String? = nil, resourceVersion: String? = nil,
    propagationPolicy: PropagationPolicy? = nil, gracePeriodSeconds: Int? = nil
  ) async throws -> JSONValue {
    var options: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
    var preconditions: [String: JSONValue] = [:]
    if let uid { preconditions["uid"] = .string(uid) }
    if let resourceVersion { preconditions["resourceVersion"] = .string(resourceVersion) }
    if !preconditions.isEmpty { options["preconditions"] = .object(preconditions) }
    if let propagationPolicy { options["propagationPolicy"] = .string(propagationPolicy.rawValue) }
    if let gracePeriodSeconds { options["gracePeriodSeconds"] = .int(Int64(gracePeriodSeconds)) }
    return try await send(APIRequest(.DELETE, "delete", path, body: options))
  }

  static func query(labelSelector: String?, fieldSelector: String?) -> [(name: String, value: String)] {
    [("labelSelector", labelSelector), ("fieldSelector", fieldSelector)].compactMap { name, value in
      value.map { (name, $0) }
    }
  }

  /// Reads a list page by page. A continuation that has expired (410) makes it read the whole at once.
  func list(
    _ path: ResourcePath, selectors: [(name: String, value: String)], metadataOnly: Bool = false
  ) async throws -> ResourceList {
    var items: [KubeObject] = []
    var continuation: String?
    var limit: String? = "500"
    while true {
      var query = selectors
      if let limit { query.append(("limit", limit)) }
      if let continuation { query.append(("continue", continuation)) }
      var request = APIRequest(.GET, "list", path, query: query)
      request.metadataOnly = metadataOnly
      let page: JSONValue
      do {
        page = try await send(request)
      } catch let error as KubeError where error.isGone && continuation != nil {
        items = []
        continuation = nil
        limit = nil
        continue
      }
      guard let version = page[path: "metadata", "resourceVersion"]?.string else {
        throw KubeError.unexpectedResponse(request: request.words, server: server, problem: "it is no list")
      }
      // `items` of an empty list is null on some servers.
      items += Self.typed(page["items"]?.array ?? [], listKind: page["kind"]?.string, apiVersion: page["apiVersion"])
        .map(KubeObject.init)
      continuation = page[path: "metadata", "continue"]?.string
      if continuation ?? "" == "" { return ResourceList(items: items, resourceVersion: version) }
    }
  }

  private static func typed(_ items: [JSONValue], listKind: String?, apiVersion: JSONValue?) -> [JSONValue] {
    guard let listKind, listKind.hasSuffix("List"), listKind != "List" else { return items }
    let kind = JSONValue.string(String(listKind.dropLast(4)))
    return items.map { item in
      guard case .object(var members) = item else { return item }
      members["kind"] = members["kind"] ?? kind
      members["apiVersion"] = members["apiVersion"] ?? apiVersion
      return .object(members)
    }
  }
}
