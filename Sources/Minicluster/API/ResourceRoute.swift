internal import NIOHTTP1

/// What a request does, as the rules of access name it
/// (https://kubernetes.io/docs/reference/access-authn-authz/authorization/#determine-the-request-verb).
enum Verb: String, Sendable, Hashable {
  case get, list, watch, create, update, patch, delete, deletecollection
}

/// A path of a resource (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris): a collection, an
/// object, or a part of an object.
struct ResourceRoute: Sendable, Hashable {
  /// The API group; empty for the core group.
  var group: String
  /// The group's version.
  var version: String
  /// The resource's name in the URL: `pods`.
  var resource: String
  /// The namespace; `nil` for all, and for objects in none.
  var namespace: String?
  /// The object; `nil` for the collection.
  var name: String?
  /// What of the object: `log`.
  var subresource: String?

  /// The route of a path; `nil` for a path of something else.
  init?(_ path: [String]) {
    let rest: ArraySlice<String>
    switch path.first {
    case "api"? where path.count > 2:
      group = ""
      version = path[1]
      rest = path[2...]
    case "apis"? where path.count > 3:
      group = path[1]
      version = path[2]
      rest = path[3...]
    default: return nil
    }
    var parts = Array(rest)
    if parts.count > 2, parts[0] == "namespaces", !["status", "finalize"].contains(parts[2]) {
      namespace = parts[1]
      parts.removeFirst(2)
    }
    resource = parts[0]
    name = parts.count > 1 ? parts[1] : nil
    subresource = parts.count > 2 ? parts[2...].joined(separator: "/") : nil
    // A namespace is where its own rights hold.
    if group.isEmpty, resource == "namespaces" { namespace = name }
  }

  /// The kind of the objects; `nil` for one that is not kept here.
  var kind: ObjectKind? {
    ObjectKind.all.first { $0.group == group && $0.version == version && $0.resource == resource }
  }

  /// The namespace in which the store looks; `nil` for objects in none.
  var objectNamespace: String? { kind?.isNamespaced == true ? namespace : nil }

  /// The verb of a request for this route; `nil` for a method that there is not.
  func verb(_ request: APIRequest) -> Verb? {
    switch (request.method, name == nil) {
    case (.GET, true): request.isSet("watch") ? .watch : .list
    case (.GET, false): .get
    case (.POST, _): .create
    case (.PUT, false): .update
    case (.PATCH, false): .patch
    case (.DELETE, true): .deletecollection
    case (.DELETE, false): .delete
    default: nil
    }
  }
}
