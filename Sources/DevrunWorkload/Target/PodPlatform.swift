internal import DevrunCore
internal import DevrunKube

/// The operating system and the architecture of the nodes that an agent runs on.
struct PodPlatform: Sendable {
  /// The architecture, as the node label `kubernetes.io/arch` names it; `nil`: any.
  var architecture: String?

  /// The node labels and what they have on a node for the agent. Those with `beta` are what nodes were labelled with before
  /// Kubernetes 1.14; nodes have both, and many manifests still select by them.
  private var labels: [(key: String, value: String)] {
    let kinds = [("os", "linux" as String?), ("arch", architecture)]
    return kinds.flatMap { kind, value in
      ["kubernetes.io/\(kind)", "beta.kubernetes.io/\(kind)"].compactMap { key in value.map { (key, $0) } }
    }
  }

  /// Makes sure that a pod may run on a node for the agent, as far as the pod itself says where it runs: by its operating
  /// system, its node selector, and its required node affinity.
  ///
  /// - Parameter pod: a pod or a template.
  /// - Throws: `WorkloadError.otherArchitecture`
  func check(_ pod: KubeObject) throws(WorkloadError) {
    if let system = pod.spec["os"]?["name"]?.string, system != "linux" {
      throw .otherArchitecture(wanted: system, payload: "linux")
    }
    for (key, value) in labels {
      if let wanted = pod.spec["nodeSelector"]?[key]?.string, wanted != value {
        throw .otherArchitecture(wanted: wanted, payload: value)
      }
    }
    let affinity = pod.spec["affinity"]?["nodeAffinity"]?["requiredDuringSchedulingIgnoredDuringExecution"]
    let refusals = (affinity?["nodeSelectorTerms"]?.array ?? []).map { refusal(of: $0) }
    // A node has to fit one of the terms.
    if let refusal = refusals.first ?? nil, refusals.allSatisfy({ $0 != nil }) { throw refusal }
  }

  /// The node selector of a pod with the labels in it.
  ///
  /// - Throws: as `check`
  func selector(of pod: KubeObject) throws(WorkloadError) -> JSONValue {
    try check(pod)
    var selector = pod.spec["nodeSelector"] ?? [:]
    for (key, value) in labels where !key.hasPrefix("beta") { selector[key] = .string(value) }
    return selector
  }

  /// Why no node for the agent fits a term of an affinity; `nil` if one may. A node has to fit all expressions of a term.
  private func refusal(of term: JSONValue) -> WorkloadError? {
    for expression in term["matchExpressions"]?.array ?? [] {
      guard let (key, value) = labels.first(where: { $0.key == expression["key"]?.string }) else { continue }
      let values = (expression["values"]?.array ?? []).compactMap(\.string)
      switch expression["operator"]?.string {
      case "In" where !values.contains(value):
        return .otherArchitecture(wanted: values.joined(separator: " or "), payload: value)
      case "NotIn" where values.contains(value):
        return .otherArchitecture(wanted: "nodes whose label \(key) is not \(value)", payload: value)
      case "DoesNotExist":
        return .otherArchitecture(wanted: "nodes without the label \(key)", payload: value)
      default: continue
      }
    }
    return nil
  }
}
