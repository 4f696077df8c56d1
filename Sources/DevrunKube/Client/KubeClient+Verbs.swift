public import DevrunCore
import NIOHTTP1

/// What a list gives.
public struct ResourceList: Sendable, Hashable {
  /// The objects. Each has `apiVersion` and `kind`, which the server leaves out of a list's items. Services, Endpoints and
  /// EndpointSlices may lack fields that devrun does not read.
  public var items: [KubeObject]
  /// The version that the whole list is of: where a watch begins.
  public var resourceVersion: String
}

/// All of these throw `KubeError`, or `CancellationError` where the task is cancelled.
extension KubeClient {
  /// Who changes objects, as their `managedFields` say.
  public static let fieldManager = "devrun"

  private static let fieldManagerQuery = [(name: "fieldManager", value: fieldManager)]

  /// Reads one object, or a subresource of one.
  public func get(_ path: ResourcePath) async throws -> KubeObject {
    KubeObject(try await send(APIRequest(.GET, "get", path)))
  }

  /// Reads all objects of a collection that the selectors, in the text form that the API has for them, select.
  ///
  /// - Parameters:
  ///   - metadataOnly: whether the answer is to have the objects' metadata alone, since the objects are large.
  ///   - onFirstPage: is called once the server has begun to answer, so the collection may be read.
  public func list(
    _ path: ResourcePath, labelSelector: String? = nil, fieldSelector: String? = nil, metadataOnly: Bool = false,
    onFirstPage: () -> Void = {}
  ) async throws -> ResourceList {
    let fields = fieldSelector.map { [(name: "fieldSelector", value: $0)] } ?? []
    return try await list(
      path, selectors: Self.query(labelSelector: labelSelector) + fields, metadataOnly: metadataOnly,
      onFirstPage: onFirstPage)
  }

  /// Makes an object; `path` is the collection, or an object's subresource that is made (`binding`, `eviction`).
  ///
  /// Returns the object as the server keeps it.
  ///
  /// - Parameter metadataOnly: whether the answer is to have the metadata alone: the server does not send a large object
  ///   back over a slow line.
  @discardableResult
  public func create(
    _ object: KubeObject, in path: ResourcePath, metadataOnly: Bool = false
  ) async throws -> KubeObject {
    var named = path
    // For the error's words alone; the server takes the name from the object.
    named.name = path.name ?? (object.name.isEmpty ? nil : object.name)
    var request = APIRequest(.POST, "create", named, query: Self.fieldManagerQuery, body: object.json)
    request.path = path.urlPath
    if metadataOnly { request.metadata = .object }
    return KubeObject(try await send(request))
  }

  /// Changes an object by a JSON patch (RFC 6902), whole or not at all. A `test` that fails is an error with code 422.
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
  ///   - gracePeriodSeconds: How long its processes have to end; the object's own period where `nil`.
  @discardableResult
  public func delete(
    _ path: ResourcePath, uid: String? = nil, gracePeriodSeconds: Int? = nil
  ) async throws -> JSONValue {
    var options: JSONValue = ["apiVersion": "v1", "kind": "DeleteOptions"]
    if let uid { options["preconditions"] = ["uid": .string(uid)] }
    if let gracePeriodSeconds { options["gracePeriodSeconds"] = .int(Int64(gracePeriodSeconds)) }
    return try await send(APIRequest(.DELETE, "delete", path, body: options))
  }

  static func query(labelSelector: String?) -> [(name: String, value: String)] {
    labelSelector.map { [("labelSelector", $0)] } ?? []
  }

  /// Reads a list page by page. A continuation that has expired (410) makes it read the whole at once.
  func list(
    _ path: ResourcePath, selectors: [(name: String, value: String)], metadataOnly: Bool = false,
    isTable: Bool = false, onFirstPage: () -> Void = {}
  ) async throws -> ResourceList {
    var items: [KubeObject] = []
    var continuation: String?
    var limit: String? = "500"
    while true {
      var query = selectors
      if let limit { query.append(("limit", limit)) }
      if let continuation { query.append(("continue", continuation)) }
      var request = APIRequest(.GET, "list", path, query: query)
      if metadataOnly { request.metadata = .list }
      if isTable { request.metadata = .table }
      request.prefersProtobuf = request.metadata == nil && KubernetesProtobuf.canRead(path)
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
      items +=
        isTable
        ? [KubeObject(page)]
        : Self.typed(page["items"]?.array ?? [], listKind: page["kind"]?.string, apiVersion: page["apiVersion"])
          .map(KubeObject.init)
      if continuation == nil, limit != nil { onFirstPage() }
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
