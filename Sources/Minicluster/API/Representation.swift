internal import DevrunCore
internal import DevrunKube
internal import NIOHTTP1

/// The form in which a client wants objects
/// (https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources).
enum Representation: Sendable, Hashable {
  /// The objects themselves.
  case whole
  /// Their metadata alone.
  case metadata
  /// The columns that kubectl prints.
  case table(TableObjects)

  /// What each row of a table has beside its cells (`includeObject`).
  enum TableObjects: String, Sendable, Hashable {
    case none = "None"
    case metadata = "Metadata"
    case object = "Object"
  }

  /// The form that a request asks for.
  ///
  /// - Throws: 406 if the client accepts nothing that the API sends.
  init(_ request: APIRequest) throws(APIFailure) {
    let accepted = request.headers[canonicalForm: "Accept"].map { $0.split(separator: ";").map(Self.trimmed) }
    for media in accepted {
      guard let type = media.first, ["application/json", "application/*", "*/*"].contains(type) else { continue }
      switch media.first(where: { $0.hasPrefix("as=") }) {
      case "as=Table"? where media.contains("v=v1"):
        self = .table(request.value("includeObject").flatMap(TableObjects.init(rawValue:)) ?? .metadata)
        return
      case "as=PartialObjectMetadata"?, "as=PartialObjectMetadataList"?:
        self = .metadata
        return
      case nil:
        self = .whole
        return
      default: continue
      }
    }
    guard accepted.isEmpty else { throw .notAcceptable(["application/json"]) }
    self = .whole
  }

  private static func trimmed(_ text: Substring) -> String { text.filter { $0 != " " } }

  /// An object in this form.
  ///
  /// - Parameter hasColumns: whether a table describes its columns, which it does once for each connection.
  func object(_ object: KubeObject, of kind: ObjectKind, hasColumns: Bool = true) -> JSONValue {
    switch self {
    case .whole: return object.json
    case .metadata: return Self.metadata(of: object)
    case .table(let objects):
      return Table(kind).json(
        of: [object], metadata: Self.version(object.resourceVersion), objects, hasColumns: hasColumns)
    }
  }

  /// A list in this form.
  func list(_ objects: [KubeObject], of kind: ObjectKind, metadata: JSONValue) -> JSONValue {
    switch self {
    case .whole:
      [
        "kind": .string(kind.kind + "List"), "apiVersion": .string(kind.apiVersion), "metadata": metadata,
        "items": .array(objects.map(Self.item)),
      ]
    case .metadata:
      [
        "kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata,
        "items": .array(objects.map(Self.metadata)),
      ]
    case .table(let included): Table(kind).json(of: objects, metadata: metadata, included)
    }
  }

  /// A bookmark's object: nothing but its kind and a version.
  func bookmark(resourceVersion: Int, of kind: ObjectKind) -> JSONValue {
    let metadata = Self.version(String(resourceVersion))
    return switch self {
    case .whole:
      ["kind": .string(kind.kind), "apiVersion": .string(kind.apiVersion), "metadata": metadata]
    case .metadata: ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata]
    case .table(let objects): Table(kind).json(of: [], metadata: metadata, objects, hasColumns: false)
    }
  }

  /// `PartialObjectMetadata` of an object.
  static func metadata(of object: KubeObject) -> JSONValue {
    ["kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": object.metadata]
  }

  /// The items of a list do not repeat their kind.
  private static func item(_ object: KubeObject) -> JSONValue {
    var json = object.json
    json["kind"] = nil
    json["apiVersion"] = nil
    return json
  }

  private static func version(_ version: String?) -> JSONValue { ["resourceVersion": .string(version ?? "")] }
}
