internal import DevrunCore

/// Leaves out of an object what Go's encoder leaves out (`omitempty`): nulls, empty lists, and empty maps of texts. An
/// empty object that has a meaning (`emptyDir: {}`, `resources: {}`, `podSelector: {}`) stays.
enum JSONNormalization {
  /// Maps that are left out if they are empty.
  private static let maps: Set<String> = [
    "labels", "annotations", "matchLabels", "nodeSelector", "data", "stringData", "binaryData", "limits", "requests",
  ]
  /// Lists that are kept if they are empty, because their field is required.
  private static let required: Set<String> = ["endpoints"]

  /// A value without what is empty.
  static func normalized(_ value: JSONValue) -> JSONValue {
    switch value {
    case .object(let members):
      .object(
        members.reduce(into: [:]) { kept, member in
          let value = normalized(member.value)
          if !isEmpty(value, as: member.key) { kept[member.key] = value }
        })
    case .array(let elements): .array(elements.map(normalized))
    default: value
    }
  }

  private static func isEmpty(_ value: JSONValue, as name: String) -> Bool {
    switch value {
    case .null: true
    case .array(let elements): elements.isEmpty && !required.contains(name)
    case .object(let members): members.isEmpty && maps.contains(name)
    default: false
    }
  }
}
