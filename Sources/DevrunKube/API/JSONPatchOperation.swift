public import DevrunCore

/// One operation of a JSON patch (RFC 6902). A patch is applied whole or not at all: an operation that does not fit,
/// a failing `test` above all, refuses it.
public enum JSONPatchOperation: Sendable, Hashable {
  /// Adds a member or an element; replaces a member that exists.
  case add(JSONPointer, JSONValue)
  /// Removes what must exist.
  case remove(JSONPointer)
  /// Replaces what must exist.
  case replace(JSONPointer, JSONValue)
  /// Refuses the patch unless the place holds exactly this value.
  case test(JSONPointer, JSONValue)

  /// The operation as the object that RFC 6902 section 4 describes.
  public var json: JSONValue {
    switch self {
    case .add(let path, let value): ["op": "add", "path": .string(path.description), "value": value]
    case .remove(let path): ["op": "remove", "path": .string(path.description)]
    case .replace(let path, let value): ["op": "replace", "path": .string(path.description), "value": value]
    case .test(let path, let value): ["op": "test", "path": .string(path.description), "value": value]
    }
  }
}

extension JSONPatchOperation {
  /// Makes the API server refuse a patch with a conflict if the object is not the one that was read any more
  /// (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions). A `test` of the content is no
  /// such guard: older API servers compare its strings as they were encoded.
  public static func ifUnchanged(since object: KubeObject) -> JSONPatchOperation {
    .replace(["metadata", "resourceVersion"], object.resourceVersion.map(JSONValue.string) ?? .null)
  }
}
