// The checks of the API server that people run into, with its words (k8s.io/kubernetes/pkg/apis/*/validation). What is
// not checked here is taken as it comes.
internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Refuses objects that the API server would refuse.
enum ObjectValidation {
  /// Checks an object as it is to be stored.
  static func check(_ object: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
    try FieldTypes.check(object, kind)
    var report = FieldReport()
    checkMetadata(object, kind, &report)
    switch kind {
    case .pod: PodValidation.check(object.spec, at: "spec", &report)
    case .deployment, .replicaSet, .statefulSet, .daemonSet: WorkloadValidation.check(object, kind, &report)
    case .service: ServiceValidation.check(object.spec, &report)
    case .configMap: checkKeys(of: object, ["data", "binaryData"], &report)
    case .secret:
      checkKeys(of: object, ["data"], &report)
      try checkBase64(object)
    default: break
    }
    try report.finish(kind, object.name)
  }

  private static func checkMetadata(_ object: KubeObject, _ kind: ObjectKind, _ report: inout FieldReport) {
    if object.name.isEmpty {
      report.required("metadata.name", "name or generateName is required")
    } else if let problem = NameRule.of(kind).problem(with: object.name) {
      report.invalid("metadata.name", .string(object.name), problem)
    }
    checkLabels(object.labels, at: "metadata.labels", &report)
    let annotations = object.annotations
    for name in annotations.keys.sorted() {
      guard let problem = QualifiedName.problem(with: name.lowercased()) else { continue }
      report.invalid("metadata.annotations", .string(name), problem)
    }
    let limit = 256 << 10
    if annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > limit {
      report.tooLong("metadata.annotations", limit: limit)
    }
  }

  /// Checks the names and values of labels.
  static func checkLabels(_ labels: [String: String], at field: String, _ report: inout FieldReport) {
    for (name, value) in labels.sorted(by: { $0.key < $1.key }) {
      if let problem = QualifiedName.problem(with: name) { report.invalid(field, .string(name), problem) }
      if let problem = QualifiedName.problem(withValue: value) { report.invalid(field, .string(value), problem) }
    }
  }

  private static func checkKeys(of object: KubeObject, _ fields: [String], _ report: inout FieldReport) {
    for field in fields {
      for key in (object.json[field]?.object ?? [:]).keys.sorted() {
        guard key.wholeMatch(of: #/[\-._a-zA-Z0-9]+/#) == nil else { continue }
        report.invalid(
          "\(field)[\(key)]", .string(key),
          "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or "
            + "'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')")
      }
    }
  }

  private static func checkBase64(_ secret: KubeObject) throws(APIFailure) {
    for value in secret.json["data"]?.stringMap?.values ?? [:].values where Data(base64Encoded: value) == nil {
      throw .badRequest(
        "Secret in version \"v1\" cannot be handled as a Secret: illegal base64 data")
    }
  }
}

// MARK: - Changes

extension ObjectValidation {
  /// Checks a change of an object that is stored.
  static func check(change next: KubeObject, of present: KubeObject, _ kind: ObjectKind) throws(APIFailure) {
    var report = FieldReport()
    let added = next.finalizers.filter { !present.finalizers.contains($0) }
    if present.isTerminating, !added.isEmpty {
      report.forbidden(
        "metadata.finalizers",
        "no new finalizers can be added if the object is being deleted, found new finalizers []string{"
          + added.map { "\"\($0)\"" }.joined(separator: ", ") + "}")
    }
    switch kind {
    case .pod: checkPod(change: next.spec, of: present.spec, &report)
    case .deployment, .replicaSet, .daemonSet, .statefulSet:
      WorkloadValidation.check(change: next, of: present, kind, &report)
    case .service:
      if let address = present.spec["clusterIP"], let other = next.spec["clusterIP"], address != other {
        report.invalid(
          "spec.clusterIPs[0]", written: "[]string{\(other.compactText)}", "may not change once set")
      }
    case .configMap, .secret: checkImmutable(next, present, &report)
    default: break
    }
    try report.finish(kind, present.name)
  }

  /// Of a pod's spec only a few fields can be changed. A pod that has no node yet can get one.
  private static func checkPod(change next: JSONValue, of present: JSONValue, _ report: inout FieldReport) {
    var allowed = next
    for field in ["containers", "initContainers"] {
      guard let old = present[field]?.array, var new = next[field]?.array, old.count == new.count else { continue }
      for index in new.indices { new[index]["image"] = old[index]["image"] }
      allowed[field] = .array(new)
    }
    allowed["activeDeadlineSeconds"] = present["activeDeadlineSeconds"]
    let tolerations = present["tolerations"]?.array ?? []
    if Set(next["tolerations"]?.array ?? []).isSuperset(of: tolerations) {
      allowed["tolerations"] = present["tolerations"]
    }
    if present["nodeName"] == nil { allowed["nodeName"] = nil }
    guard allowed != present else { return }
    report.forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        + "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        + "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)")
  }

  private static func checkImmutable(_ next: KubeObject, _ present: KubeObject, _ report: inout FieldReport) {
    if let type = present.json["type"], type != next.json["type"] {
      report.invalid("type", next.json["type"] ?? "", "field is immutable")
    }
    guard present.json["immutable"] == true else { return }
    for field in ["immutable", "data", "binaryData"] where next.json[field] != present.json[field] {
      report.forbidden(field, "field is immutable when `immutable` is set")
    }
  }
}
