internal import DevrunCore
internal import DevrunKube

/// Checks Deployments, ReplicaSets, StatefulSets and DaemonSets.
enum WorkloadValidation {
  static func check(_ workload: KubeObject, _ kind: ObjectKind, _ report: inout FieldReport) {
    let spec = workload.spec
    for field in ["replicas", "minReadySeconds", "revisionHistoryLimit"] {
      guard let number = spec[field]?.int, number < 0 else { continue }
      report.invalid("spec.\(field)", .int(Int64(number)), "must be greater than or equal to 0")
    }
    let labels = workload.template.labels
    let selector = spec["selector"] ?? [:]
    if (selector["matchLabels"]?.object ?? [:]).isEmpty, (selector["matchExpressions"]?.array ?? []).isEmpty {
      if spec["selector"] == nil {
        report.required("spec.selector")
      } else {
        report.invalid("spec.selector", written: goText(selector), "empty selector is invalid for \(kind.singular)")
      }
      checkMatch(false, labels, &report)
    } else if let selection = try? Selection(labelSelector: selector) {
      checkMatch(selection.selects(["metadata": workload.template.metadata]), labels, &report)
    } else {
      report.invalid("spec.selector", written: goText(selector), "invalid label selector")
    }
    ObjectValidation.checkLabels(labels, at: "spec.template.labels", &report)
    PodValidation.check(workload.template.spec, at: "spec.template.spec", &report)
    if let policy = workload.template.spec["restartPolicy"]?.string, policy != "Always" {
      report.unsupported("spec.template.spec.restartPolicy", policy, supported: ["Always"])
    }
    if kind == .deployment { checkStrategy(spec["strategy"] ?? [:], &report) }
  }

  private static func checkMatch(_ isMatch: Bool, _ labels: [String: String], _ report: inout FieldReport) {
    if isMatch { return }
    report.invalid(
      "spec.template.metadata.labels", written: goText(labels), "`selector` does not match template `labels`")
  }

  private static func checkStrategy(_ strategy: JSONValue, _ report: inout FieldReport) {
    let update = strategy["rollingUpdate"]
    switch strategy["type"]?.string {
    case "Recreate":
      if update != nil {
        report.forbidden("spec.strategy.rollingUpdate", "may not be specified when strategy `type` is 'Recreate'")
      }
    case "RollingUpdate":
      func isNone(_ value: JSONValue?) -> Bool { value == 0 || value == "0%" }
      if isNone(update?["maxSurge"]), isNone(update?["maxUnavailable"]) {
        report.invalid(
          "spec.strategy.rollingUpdate.maxUnavailable", update?["maxUnavailable"] ?? 0,
          "may not be 0 when `maxSurge` is 0")
      }
    case let type:
      report.unsupported("spec.strategy.type", type ?? "", supported: ["Recreate", "RollingUpdate"])
    }
  }

  /// Checks a change of a workload that is stored.
  static func check(
    change next: KubeObject, of present: KubeObject, _ kind: ObjectKind, _ report: inout FieldReport
  ) {
    if kind == .statefulSet {
      var allowed = next.spec
      for field in [
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
      ] {
        allowed[field] = present.spec[field]
      }
      guard allowed != present.spec else { return }
      report.forbidden(
        "spec",
        "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
          + "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden")
    } else if next.spec["selector"] != present.spec["selector"] {
      report.invalid("spec.selector", written: goText(next.spec["selector"] ?? [:]), "field is immutable")
    }
  }

  /// A label selector as Go writes it.
  private static func goText(_ selector: JSONValue) -> String {
    let labels = goText(selector["matchLabels"]?.stringMap ?? [:])
    let expressions = (selector["matchExpressions"]?.array ?? []).map { expression in
      let values = expression["values"]?.array?.map(\.compactText).joined(separator: ", ")
      return "v1.LabelSelectorRequirement{Key:\((expression["key"] ?? "").compactText), "
        + "Operator:\((expression["operator"] ?? "").compactText), "
        + "Values:[]string\(values.map { "{\($0)}" } ?? "(nil)")}"
    }
    let list = expressions.isEmpty ? "(nil)" : "{\(expressions.joined(separator: ", "))}"
    return "v1.LabelSelector{MatchLabels:\(labels), MatchExpressions:[]v1.LabelSelectorRequirement\(list)}"
  }

  /// A map of labels as Go writes it.
  private static func goText(_ labels: [String: String]) -> String {
    guard !labels.isEmpty else { return "map[string]string(nil)" }
    let members = labels.sorted { $0.key < $1.key }.map {
      "\(JSONValue.string($0.key).compactText):\(JSONValue.string($0.value).compactText)"
    }
    return "map[string]string{\(members.joined(separator: ", "))}"
  }
}
