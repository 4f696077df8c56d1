// Who owns which field: what the API server keeps in `metadata.managedFields` about plain writes. A write makes its
// manager the owner of what it changes, and all others lose that
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers). There is no server-side apply here, but
// entries of the operation Apply that a client puts back are kept.
internal import DevrunCore
internal import DevrunKube

/// The owners of the fields of one object.
struct FieldOwners {
  private var entries: [JSONValue]

  /// The owners after a write.
  ///
  /// - Parameters:
  ///   - old: the object before; of a new object what the server sets itself.
  ///   - new: the object as it is to be. Its `managedFields` are those that the client sent.
  ///   - part: what part was written (the subresource).
  static func managedFields(
    from old: KubeObject, to new: KubeObject, of kind: ObjectKind, by manager: String, part: ObjectStore.Part,
    at time: String
  ) -> JSONValue? {
    var owners = FieldOwners(sent: new.managedFields, kept: old.managedFields)
    let comparison = FieldComparison(from: old.json, to: new.json, of: kind)
    owners.record(comparison, kind, manager, part, time)
    return owners.entries.isEmpty ? nil : .array(owners.entries)
  }

  /// The owners that a client sent; those that were there before if it sent none. A list of one empty entry takes all
  /// owners away.
  private init(sent: JSONValue?, kept: JSONValue?) {
    guard let sent = sent?.array, !sent.isEmpty else {
      entries = kept?.array ?? []
      return
    }
    entries = sent == [[:]] ? [] : sent
  }

  private mutating func record(
    _ comparison: FieldComparison, _ kind: ObjectKind, _ manager: String, _ part: ObjectStore.Part, _ time: String
  ) {
    guard !comparison.changed.isEmpty || !comparison.removed.isEmpty else { return }
    var own: JSONValue = [
      "manager": .string(manager), "operation": "Update", "apiVersion": .string(kind.apiVersion),
      "fieldsType": "FieldsV1",
    ]
    if part != .main { own["subresource"] = .string(part.rawValue) }
    var kept: [JSONValue] = []
    var fields = FieldSet()
    for entry in entries {
      var set = FieldSet(json: entry["fieldsV1"] ?? [:])
      if Self.identity(entry) == Self.identity(own) {
        fields = set
        own["time"] = entry["time"]
        continue
      }
      set.subtract(comparison.changed)
      set.subtract(comparison.removed)
      guard !set.isEmpty else { continue }
      var entry = entry
      entry["fieldsV1"] = set.json
      kept.append(entry)
    }
    let before = fields
    fields.formUnion(comparison.changed)
    fields.subtract(comparison.removed)
    if !fields.isEmpty {
      if fields != before { own["time"] = .string(time) }
      own["fieldsV1"] = fields.json
      kept.append(own)
    }
    entries = kept.sorted { Self.order($0).lexicographicallyPrecedes(Self.order($1)) }
  }

  private static func identity(_ entry: JSONValue) -> [String] {
    texts(entry, "manager", "operation", "apiVersion", "subresource")
  }

  private static func order(_ entry: JSONValue) -> [String] {
    texts(entry, "operation", "time", "manager", "apiVersion", "subresource")
  }

  private static func texts(_ entry: JSONValue, _ names: String...) -> [String] {
    names.map { entry[$0]?.string ?? "" }
  }
}

extension ObjectDefaults {
  /// What the server itself sets of a new object, and what is there in any: nobody owns these.
  static func skeleton(of object: KubeObject, _ kind: ObjectKind) -> KubeObject {
    let podSpec: JSONValue = ["containers": []]
    let template: JSONValue = ["metadata": [:], "spec": podSpec]
    var skeleton: KubeObject = ["metadata": [:]]
    skeleton.spec =
      switch kind {
      case .pod: podSpec
      case .deployment: ["strategy": [:], "template": template]
      case .replicaSet: ["template": template]
      case .statefulSet, .daemonSet: ["updateStrategy": [:], "template": template]
      default: [:]
      }
    skeleton.json["status"] =
      kind == .node ? ["daemonEndpoints": ["kubeletEndpoint": [:]], "nodeInfo": [:]] : object.json["status"]
    if kind == .event { skeleton.json["source"] = [:] }
    if kind == .namespace { skeleton.spec["finalizers"] = object.spec["finalizers"] }
    return skeleton
  }
}
