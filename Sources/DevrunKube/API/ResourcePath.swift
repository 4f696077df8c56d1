import DevrunCore

/// Where a resource of the API is: a collection of objects, one object, or a subresource of one.
///
/// `/api/VERSION/...` for the core group, `/apis/GROUP/VERSION/...` for all others (Kubernetes API concepts,
/// "Resource URIs").
public struct ResourcePath: Sendable, Hashable {
  /// The API group; empty for the core group.
  public var group: String
  /// The group's version.
  public var version: String
  /// The resource's plural name, as in URLs.
  public var resource: String
  /// The namespace; `nil` for what is not in one, and for a list over all namespaces.
  public var namespace: String?
  /// The object's name; `nil` for the collection.
  public var name: String?
  /// The object's subresource, if one is meant.
  public var subresource: String?

  /// A path of the given parts.
  public init(
    group: String = "", version: String, resource: String, namespace: String? = nil, name: String? = nil,
    subresource: String? = nil
  ) {
    self.group = group
    self.version = version
    self.resource = resource
    self.namespace = namespace
    self.name = name
    self.subresource = subresource
  }

  /// The same resource's object of the given name.
  public func named(_ name: String) -> ResourcePath {
    var path = self
    path.name = name
    return path
  }

  /// A subresource of the object that this path names.
  public func subresource(_ subresource: String) -> ResourcePath {
    var path = self
    path.subresource = subresource
    return path
  }

  /// The path of a URL, percent-encoded.
  public var urlPath: String {
    var segments = group.isEmpty ? ["api", version] : ["apis", group, version]
    if let namespace { segments += ["namespaces", namespace] }
    segments.append(resource)
    if let name { segments.append(name) }
    if let subresource { segments.append(subresource) }
    return segments.map { "/" + PercentEncoding.encode($0.utf8) }.joined()
  }

  /// What a person is told of this resource: `deployments.apps/name`, the namespace told apart.
  var display: String {
    let kind = group.isEmpty ? resource : "\(resource).\(group)"
    return name.map { "\(kind)/\($0)" } ?? kind
  }
}
