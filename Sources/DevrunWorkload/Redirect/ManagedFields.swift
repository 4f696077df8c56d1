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
