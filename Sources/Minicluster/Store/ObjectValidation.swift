// The checks of the API server that people run into, with its words (k8s.io/kubernetes/pkg/apis/*/validation). What is
// not checked here is taken as it comes.
internal import DevrunCore
internal import DevrunKube

/// Refuses objects that the API server would refuse.
enum ObjectValidation {
  /// Checks an object as it is to be stored.
  static func check(_ object: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
    var report = FieldReport()
    checkMetadata(object, kind, &report)
    try report.finish(kind, object.name)
  }

  /// Checks a change of an object that is stored.
  static func check(change next: KubeObject, of present: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
  }

  private static func checkMetadata(_ object: KubeObject, _ kind: ObjectKind, _ report: inout FieldReport) {
    if object.name.isEmpty {
      report.required("metadata.name", "name or generateName is required")
    } else if let problem = NameRule.of(kind).problem(with: object.name) {
      report.invalid("metadata.name", .string(object.name), problem)
    }
  }
}

/// The causes of a failure, as they are found.
struct FieldReport {
  private(set) var causes: [APIStatus.Cause] = []

  mutating func required(_ field: String, _ words: String = "") {
    add("FieldValueRequired", field, "Required value" + (words.isEmpty ? "" : ": \(words)"))
  }

  mutating func invalid(_ field: String, _ value: JSONValue, _ words: String) {
    add("FieldValueInvalid", field, "Invalid value: \(String(decoding: value.text, as: UTF8.self)): \(words)")
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

  mutating func add(_ reason: String, _ field: String, _ message: String) {
    causes.append(APIStatus.Cause(reason: reason, message: message, field: field))
  }

  /// Throws what was found.
  func finish(_ kind: ObjectKind, _ name: String) throws(APIFailure) {
    if !causes.isEmpty { throw .invalid(kind, name, causes) }
  }
}
