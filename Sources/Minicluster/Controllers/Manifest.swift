// A manifest: the YAML text that a user gives to `kubectl apply -f`.

package import DevrunCore
package import DevrunKube
internal import DevrunYAML

/// The objects of a manifest, in their order.
package struct Manifest: Sendable, Hashable {
  /// One object with its kind.
  package struct Entry: Sendable, Hashable {
    /// The kind.
    package var kind: ObjectKind
    /// The object, with its namespace if it is in one.
    package var object: KubeObject

    /// What messages call the object: `deployment.apps/web`.
    package var words: String {
      "\(kind.singular)\(kind.group.isEmpty ? "" : ".\(kind.group)")/\(object.name)"
    }
  }

  /// The objects.
  package var entries: [Entry]

  /// Reads a manifest. A document may be a `List` of objects.
  ///
  /// - Parameters:
  ///   - text: YAML or JSON, in one or more documents.
  ///   - source: the file's name, for errors.
  ///   - namespace: where objects go that name no namespace.
  /// - Throws: `YAMLError`, `ManifestError`
  package init(text: [UInt8], source: String, namespace: String = "default") throws {
    entries = []
    for document in try YAML.documents(of: text, source: source) {
      let place = "\(source):\(document.mark.line)"
      for object in try Self.objects(of: document.json, place: place) {
        entries.append(try Self.entry(of: object, place: place, namespace: namespace))
      }
    }
    guard !entries.isEmpty else { throw ManifestError(what: "\(source) holds no object") }
  }

  private static func objects(of document: JSONValue, place: String) throws(ManifestError) -> [KubeObject] {
    guard document.object != nil else { throw ManifestError(what: "\(place): this is no object of Kubernetes") }
    guard document["kind"]?.string == "List" else { return [KubeObject(document)] }
    guard let items = document["items"]?.array else { throw ManifestError(what: "\(place): this List has no items") }
    return items.map(KubeObject.init)
  }

  private static func entry(
    of object: KubeObject, place: String, namespace: String
  ) throws(ManifestError) -> Entry {
    guard let version = object.json["apiVersion"]?.string, !object.kind.isEmpty else {
      throw ManifestError(what: "\(place): an object must have apiVersion and kind")
    }
    guard let kind = ObjectKind.all.first(where: { $0.apiVersion == version && $0.kind == object.kind }) else {
      let near = ObjectKind.all.first { $0.kind == object.kind }
      throw ManifestError(
        what: "\(place): this cluster has no objects of kind \(object.kind) in \(version)",
        remedy: near.map { "use apiVersion: \($0.apiVersion)" })
    }
    guard !object.name.isEmpty else { throw ManifestError(what: "\(place): the \(object.kind) has no metadata.name") }
    var object = object
    if kind.isNamespaced, object.namespace == nil { object.metadata["namespace"] = .string(namespace) }
    return Entry(kind: kind, object: object)
  }

  /// An object that there is already, with what a manifest says of it: labels, annotations, the members of `spec`, and all
  /// else as a whole.
  package static func merge(_ wanted: KubeObject, onto present: KubeObject) -> KubeObject {
    var merged = present
    for (name, value) in wanted.json.object ?? [:] where !["apiVersion", "kind", "metadata"].contains(name) {
      guard name == "spec" else {
        merged.json[name] = value
        continue
      }
      for (field, value) in value.object ?? [:] { merged.spec[field] = value }
    }
    if !wanted.labels.isEmpty { merged.labels.merge(wanted.labels) { $1 } }
    if !wanted.annotations.isEmpty { merged.annotations.merge(wanted.annotations) { $1 } }
    return merged
  }
}

/// Why a manifest cannot be used, or did not become what it asks for.
package struct ManifestError: UserFacingError, Hashable {
  /// What happened.
  package var what: String
  /// The reason, in the words of the cluster.
  package var why: String?
  /// What to do about it.
  package var remedy: String?

  /// The message for the user.
  package var message: ErrorMessage { ErrorMessage(what, why: why, remedy: remedy) }
}
