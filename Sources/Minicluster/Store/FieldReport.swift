internal import DevrunCore
internal import DevrunKube

/// The causes of a failure, as they are found.
struct FieldReport {
  private(set) var causes: [APIStatus.Cause] = []

  mutating func required(_ field: String, _ words: String = "") {
    add("FieldValueRequired", field, "Required value" + (words.isEmpty ? "" : ": \(words)"))
  }

  mutating func invalid(_ field: String, _ value: JSONValue, _ words: String) {
    invalid(field, written: value.compactText, words)
  }

  /// - Parameter value: the value as Go writes it (`%#v`).
  mutating func invalid(_ field: String, written value: String, _ words: String) {
    add("FieldValueInvalid", field, "Invalid value: \(value): \(words)")
  }

  mutating func duplicate(_ field: String, _ value: String) {
    add("FieldValueDuplicate", field, "Duplicate value: \"\(value)\"")
  }

  mutating func notFound(_ field: String, _ value: String) {
    add("FieldValueNotFound", field, "Not found: \"\(value)\"")
  }

  mutating func forbidden(_ field: String, _ words: String) {
    add("FieldValueForbidden", field, "Forbidden: \(words)")
  }

  mutating func unsupported(_ field: String, _ value: String, supported: [String]) {
    let list = supported.map { "\"\($0)\"" }.joined(separator: ", ")
    add("FieldValueNotSupported", field, "Unsupported value: \"\(value)\": supported values: \(list)")
  }

  mutating func tooLong(_ field: String, limit: Int) {
    add("FieldValueTooLong", field, "Too long: may not be more than \(limit) bytes")
  }

  mutating func add(_ reason: String, _ field: String, _ message: String) {
    causes.append(APIStatus.Cause(reason: reason, message: message, field: field))
  }

  /// Throws what was found.
  func finish(_ kind: ObjectKind, _ name: String) throws(APIFailure) {
    if !causes.isEmpty { throw .invalid(kind, name, causes) }
  }
}
