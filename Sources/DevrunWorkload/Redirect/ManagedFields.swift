internal import DevrunCore
internal import DevrunKube

/// `metadata.managedFields`: who owns which field, for server-side apply
/// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers).
///
/// A patch by devrun makes devrun the owner of what it changed, and the next server-side apply of the original would
/// fail with a conflict. So the owners are put back as they were.
enum ManagedFields {
  /// The owners as they would be without devrun: the present ones, unless devrun is among them, because its last write
  /// was broken off before they were put back.
  static func withoutDevrun(recorded: JSONValue?, current: JSONValue?) -> JSONValue? {
    haveDevrun(current) ? restored(recorded: recorded, current: current) : current
  }

  /// Whether devrun is among the owners.
  static func haveDevrun(_ owners: JSONValue?) -> Bool {
    (owners?.array ?? []).contains { $0["manager"]?.string == KubeClient.fieldManager }
  }

  /// The entries to put back: the recorded ones, with what others have come to own meanwhile, without devrun's.
  static func restored(recorded: JSONValue?, current: JSONValue?) -> JSONValue {
    var result = recorded?.array ?? []
    for entry in current?.array ?? [] where entry["manager"]?.string != KubeClient.fieldManager {
      if let index = result.firstIndex(where: { identity($0) == identity(entry) }) {
        result[index]["fieldsV1"] = union(result[index]["fieldsV1"] ?? [:], entry["fieldsV1"] ?? [:])
        if let time = entry["time"] { result[index]["time"] = time }
      } else {
        result.append(entry)
      }
    }
    return .array(result)
  }

  /// The owners with one for the map of the template's annotations.
  ///
  /// Whoever sets the first annotation owns the map as well. In mid-session the map was there already, for devrun's
  /// annotation; so the owner of the oldest other annotation gets it.
  static func owningTemplateAnnotations(_ owners: JSONValue) -> JSONValue {
    let path = ["f:spec", "f:template", "f:metadata", "f:annotations"]
    func annotations(_ entry: JSONValue) -> JSONValue? {
      path.reduce(entry["fieldsV1"]) { value, name in value?[name] }
    }
    var entries = owners.array ?? []
    guard !entries.contains(where: { annotations($0)?["."] != nil }) else { return owners }
    let oldest = entries.indices.filter { annotations(entries[$0]) != nil }
      .min { (entries[$0]["time"]?.string ?? "") < (entries[$1]["time"]?.string ?? "") }
    guard let oldest else { return owners }
    let map = path.reversed().reduce([".": [:]] as JSONValue) { value, name in [name: value] }
    entries[oldest]["fieldsV1"] = union(entries[oldest]["fieldsV1"] ?? [:], map)
    return .array(entries)
  }

  private static func identity(_ entry: JSONValue) -> [String?] {
    ["manager", "operation", "apiVersion", "subresource"].map { entry[$0]?.string }
  }

  /// All fields of both sets (structured-merge-diff's `fieldsV1` is a tree of objects).
  private static func union(_ left: JSONValue, _ right: JSONValue) -> JSONValue {
    guard case .object(var members) = left, case .object(let others) = right else { return left }
    for (name, value) in others { members[name] = members[name].map { union($0, value) } ?? value }
    return .object(members)
  }
}
