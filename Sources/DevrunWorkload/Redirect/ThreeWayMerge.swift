internal import DevrunCore

/// Takes one author's change back out of a document that others may have changed since.
///
/// `original` became `changed` by our hand; `current` is what stands there now. What nobody touched since is the
/// original's again; what somebody else changed since stays theirs. Elements of arrays are told apart by their `name`
/// (containers, volumes, variables) or `mountPath`, as Kubernetes' own merge keys do
/// (https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy); other arrays are one value.
enum ThreeWayMerge {
  /// The document without our change. `nil` stands for "not there".
  static func undo(original: JSONValue?, changed: JSONValue?, current: JSONValue?) -> JSONValue? {
    if current == changed { return original }
    if original == changed { return current }
    switch (original ?? .null, changed ?? .null, current) {
    case (let original, let changed, .object(let present)?)
    where isObject(original) && isObject(changed):
      var result: [String: JSONValue] = [:]
      for name in Set(original.object?.keys.map { $0 } ?? []).union(present.keys) {
        result[name] = undo(original: original[name], changed: changed[name], current: present[name])
      }
      return result.isEmpty && original == .null ? nil : .object(result)
    case (let original, let changed, .array(let present)?):
      guard let key = mergeKey(of: [original, changed, current ?? .null]) else { return current }
      return undo(key: key, original: original.array ?? [], changed: changed.array ?? [], current: present)
    default:
      return current
    }
  }

  /// The same for arrays whose elements have names. The order is the current one, which others may have chosen; what our
  /// change had taken away comes back after what it followed.
  private static func undo(key: String, original: [JSONValue], changed: [JSONValue], current: [JSONValue]) -> JSONValue?
  {
    func named(_ elements: [JSONValue]) -> [String: JSONValue] {
      Dictionary(elements.map { ($0[key]?.string ?? "", $0) }, uniquingKeysWith: { first, _ in first })
    }
    let (before, ours, now) = (named(original), named(changed), named(current))
    var order = current.compactMap { $0[key]?.string }
    var place = 0
    for name in original.compactMap({ $0[key]?.string }) {
      if let index = order.firstIndex(of: name) {
        place = index + 1
      } else {
        order.insert(name, at: place)
        place += 1
      }
    }
    let result = order.compactMap { undo(original: before[$0], changed: ours[$0], current: now[$0]) }
    return result.isEmpty && original.isEmpty ? nil : .array(result)
  }

  /// Whether the value can be taken for an object: it is one, or it is not there.
  private static func isObject(_ value: JSONValue) -> Bool {
    if case .object = value { true } else { value == .null }
  }

  /// What tells the elements of these arrays apart: every element has it, and no two of an array have the same.
  static func mergeKey(of arrays: [JSONValue]) -> String? {
    ["name", "mountPath"].first { key in
      arrays.allSatisfy { array in
        let elements = array.array ?? []
        let names = Set(elements.compactMap { $0[key]?.string })
        return names.count == elements.count
      }
    }
  }
}
