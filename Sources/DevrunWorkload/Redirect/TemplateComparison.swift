internal import DevrunCore
internal import DevrunKube

extension KubeObject {
  /// A ReplicaSet's template as the Deployment has it: without the label that the controller adds.
  var withoutHash: KubeObject {
    var template = self
    guard template.labels["pod-template-hash"] != nil else { return template }
    template.labels["pod-template-hash"] = nil
    return template
  }

  /// Whether two pod templates are one to the Deployment's controller. Its own label and nulls do not count.
  func isSameTemplate(as other: KubeObject) -> Bool {
    withoutHash.json.withoutNulls(anyOrder: false) == other.withoutHash.json.withoutNulls(anyOrder: false)
  }

  /// The same, and the order of elements that have names does not count either: a patch by somebody else may move them.
  func isTemplateInAnyOrder(of other: KubeObject) -> Bool {
    withoutHash.json.withoutNulls(anyOrder: true) == other.withoutHash.json.withoutNulls(anyOrder: true)
  }
}

extension JSONValue {
  fileprivate func withoutNulls(anyOrder: Bool) -> JSONValue? {
    switch self {
    case .null: return nil
    case .object(let members):
      return .object(members.compactMapValues { $0.withoutNulls(anyOrder: anyOrder) })
    case .array(let elements):
      let parts = elements.compactMap { $0.withoutNulls(anyOrder: anyOrder) }
      guard anyOrder, !parts.isEmpty, let key = ThreeWayMerge.mergeKey(of: [.array(parts)]) else {
        return .array(parts)
      }
      return .array(parts.sorted { ($0[key]?.string ?? "") < ($1[key]?.string ?? "") })
    default: return self
    }
  }
}
