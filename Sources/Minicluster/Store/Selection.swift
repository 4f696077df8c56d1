package import DevrunCore
package import DevrunKube

/// What a list or a watch selects: the label and field selectors of a query.
package struct Selection: Sendable, Hashable {
  /// What the labels of an object must be like.
  package var labels: [LabelRequirement] = []
  /// What the fields of an object must be like.
  package var fields: [FieldRequirement] = []

  /// Selects everything.
  package static let all = Selection()

  private init() {}

  /// The selection of a query's texts (`labelSelector` and `fieldSelector`); `nil` and an empty text select everything.
  ///
  /// - Parameter kind: the kind that is selected from, if its fields are to be checked.
  /// - Throws: 400 if a text is no selector, or names a field by which objects of the kind cannot be selected.
  package init(labels: String?, fields: String? = nil, of kind: ObjectKind? = nil) throws(APIFailure) {
    if let labels { self.labels = try LabelRequirement.parse(labels) }
    if let fields { self.fields = try FieldRequirement.parse(fields) }
    guard let kind else { return }
    for field in self.fields { try field.check(kind) }
  }

  /// Selects by a plain map of labels, as a Service has it.
  package init(matching labels: [String: String]) {
    self.labels = labels.sorted { $0.key < $1.key }.map { LabelRequirement($0.key, .isIn([$0.value])) }
  }

  /// Selects by a `LabelSelector` object (`matchLabels` and `matchExpressions`), as a Deployment has it.
  ///
  /// - Throws: 400 if an expression has no key or an unknown operator.
  package init(labelSelector: JSONValue) throws(APIFailure) {
    self.init(matching: labelSelector["matchLabels"]?.stringMap ?? [:])
    for expression in labelSelector["matchExpressions"]?.array ?? [] {
      labels.append(try LabelRequirement(expression: expression))
    }
  }

  /// Selects the one object of a name.
  package init(name: String) { fields = [FieldRequirement(path: "metadata.name", value: name, isNegated: false)] }

  /// Whether an object is selected.
  package func selects(_ object: KubeObject) -> Bool {
    if !labels.isEmpty {
      let present = object.labels
      guard labels.allSatisfy({ $0.accepts(present) }) else { return false }
    }
    return fields.allSatisfy { $0.accepts(object) }
  }
}

/// One condition of a field selector.
package struct FieldRequirement: Sendable, Hashable {
  /// The field's path: `metadata.name`.
  package var path: String
  /// The value that the field must have, or must not have. A field that is absent is empty.
  package var value: String
  /// Whether the value is the one that the field must not have.
  package var isNegated: Bool

  /// The fields by which objects of a kind can be selected, besides their name and namespace
  /// (https://kubernetes.io/docs/concepts/overview/working-with-objects/field-selectors/).
  private static let selectable: [ObjectKind: Set<String>] = [
    .pod: [
      "spec.nodeName", "spec.restartPolicy", "spec.schedulerName", "spec.serviceAccountName", "spec.hostNetwork",
      "status.phase", "status.podIP", "status.nominatedNodeName",
    ],
    .event: [
      "involvedObject.kind", "involvedObject.namespace", "involvedObject.name", "involvedObject.uid",
      "involvedObject.apiVersion", "involvedObject.resourceVersion", "involvedObject.fieldPath", "reason",
      "reportingComponent", "source", "type",
    ],
    .secret: ["type"], .namespace: ["status.phase"], .node: ["spec.unschedulable"],
    .replicaSet: ["status.replicas"], .service: ["spec.clusterIP", "spec.type"],
  ]

  /// Refuses a field by which objects of a kind cannot be selected.
  func check(_ kind: ObjectKind) throws(APIFailure) {
    if ["metadata.name", "metadata.namespace"].contains(path) { return }
    guard let paths = Self.selectable[kind] else {
      throw .badRequest(
        "\"\(path)\" is not a known field selector: only \"metadata.name\", \"metadata.namespace\"")
    }
    guard paths.contains(path) else { throw .badRequest("field label not supported: \(path)") }
  }

  /// Whether an object meets the condition.
  func accepts(_ object: KubeObject) -> Bool {
    // An event's `source` is the component alone.
    let path = path == "source" ? "source.component" : path
    var value: JSONValue? = object.json
    for name in path.split(separator: ".") { value = value?[String(name)] }
    let text =
      switch value {
      case .string(let text)?: text
      case .int(let number)?: String(number)
      case .bool(let truth)?: String(truth)
      default: ""
      }
    return (text == self.value) != isNegated
  }

  /// The conditions of a query's text: `a=b`, `a==b` and `a!=b`, separated by commas.
  static func parse(_ text: String) throws(APIFailure) -> [FieldRequirement] {
    var requirements: [FieldRequirement] = []
    for term in text.split(separator: ",") {
      let operators = [("!=", true), ("==", false), ("=", false)]
      guard
        let (found, isNegated) = operators.first(where: { term.contains($0.0) }),
        let range = term.firstRange(of: found)
      else {
        throw .badRequest("invalid selector: '\(text)'; can't understand '\(term)'")
      }
      requirements.append(
        FieldRequirement(
          path: String(term[..<range.lowerBound]), value: String(term[range.upperBound...]), isNegated: isNegated))
    }
    return requirements
  }
}
