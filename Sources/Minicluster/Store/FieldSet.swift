internal import DevrunCore

/// A set of fields of an object, as a tree of steps: `f:` and a member's name, `k:` and the keys of a list's element, `v:`
/// and the value of a list that is a set
/// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management, `fieldsV1`).
struct FieldSet: Hashable, Sendable {
  /// Whether the place itself is in the set, and not only what is below.
  var isMember = false
  var children: [String: FieldSet] = [:]

  /// A set without fields.
  init() {}

  /// A set of the place itself.
  static var leaf: FieldSet {
    var set = FieldSet()
    set.isMember = true
    return set
  }

  var isEmpty: Bool { !isMember && children.isEmpty }

  /// Reads `fieldsV1`.
  init(json: JSONValue) {
    for (step, below) in json.object ?? [:] where step != "." {
      var child = FieldSet(json: below)
      child.isMember = child.children.isEmpty || below["."] != nil
      children[step] = child
    }
  }

  /// The set as `fieldsV1`.
  var json: JSONValue {
    var members = children.mapValues(\.json)
    if isMember, !children.isEmpty { members["."] = [:] }
    return .object(members)
  }

  /// Adds the fields of another set.
  mutating func formUnion(_ other: FieldSet) {
    isMember = isMember || other.isMember
    for (step, child) in other.children { children[step, default: FieldSet()].formUnion(child) }
  }

  /// Removes the fields of another set. What is below a removed field stays, unless it is in the other set as well.
  mutating func subtract(_ other: FieldSet) {
    if other.isMember { isMember = false }
    for (step, removed) in other.children {
      guard var child = children[step] else { continue }
      child.subtract(removed)
      children[step] = child.isEmpty ? nil : child
    }
  }

  /// Puts a set below a step, unless it is empty.
  mutating func put(_ child: FieldSet, at step: String) {
    if !child.isEmpty { children[step] = child }
  }
}

/// What differs between two states of an object.
struct FieldComparison {
  /// The fields that were added or have another value now.
  private(set) var changed = FieldSet()
  /// The fields that are no more.
  private(set) var removed = FieldSet()

  /// Compares two states, without what belongs to the server: the name, the uid, versions and times.
  init(from old: JSONValue, to new: JSONValue, of kind: ObjectKind) {
    self.init(Self.withoutServerFields(old), Self.withoutServerFields(new), FieldSchema(kind: kind))
  }

  private init(_ old: JSONValue?, _ new: JSONValue?, _ schema: FieldSchema) {
    guard old != new else { return }
    let oldParts = old.flatMap(schema.parts)
    let newParts = new.flatMap(schema.parts)
    if old == nil || newParts == nil, new != nil { changed.isMember = true }
    if new == nil { removed.isMember = true }
    for step in Set((oldParts ?? [:]).keys).union((newParts ?? [:]).keys) {
      let below = FieldComparison(oldParts?[step], newParts?[step], schema.below(step))
      changed.put(below.changed, at: step)
      removed.put(below.removed, at: step)
    }
  }

  private static let serverFields = [
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "managedFields",
    "deletionTimestamp", "deletionGracePeriodSeconds",
  ]

  private static func withoutServerFields(_ json: JSONValue) -> JSONValue {
    var json = json
    json["apiVersion"] = nil
    json["kind"] = nil
    json.change("metadata") { metadata in
      for name in serverFields { metadata[name] = nil }
    }
    return json
  }
}
