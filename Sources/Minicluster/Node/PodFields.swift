// What a pod's variables and downward API files quote of the pod itself
// (https://kubernetes.io/docs/concepts/workloads/pods/downward-api/).

internal import DevrunCore
internal import DevrunKube

/// The values of a pod's fields.
struct PodFields: Sendable {
  /// The pod.
  var pod: KubeObject
  /// The pod's address; empty if it has none yet.
  var podIP = ""
  /// The node's address.
  var hostIP = ""
  /// What a container without limits may use.
  var capacity: NodeCapacity

  /// The value of a field (`core/v1` ObjectFieldSelector). `nil` if the path names none.
  func value(of path: String) -> String? {
    if let label = Self.key(in: path, of: "metadata.labels") { return pod.labels[label] ?? "" }
    if let annotation = Self.key(in: path, of: "metadata.annotations") { return pod.annotations[annotation] ?? "" }
    return switch path {
    case "metadata.name": pod.name
    case "metadata.namespace": pod.namespace ?? ""
    case "metadata.uid": pod.uid ?? ""
    case "metadata.labels": Self.lines(of: pod.labels)
    case "metadata.annotations": Self.lines(of: pod.annotations)
    case "spec.nodeName": pod.spec["nodeName"]?.string ?? ""
    case "spec.serviceAccountName": pod.spec["serviceAccountName"]?.string ?? ""
    case "status.hostIP", "status.hostIPs": hostIP
    case "status.podIP", "status.podIPs": podIP
    default: nil
    }
  }

  /// The key of `metadata.labels['key']`.
  private static func key(in path: String, of field: String) -> String? {
    guard path.hasPrefix(field + "['"), path.hasSuffix("']"), path.count >= field.count + 4 else { return nil }
    return String(path.dropFirst(field.count + 2).dropLast(2))
  }

  /// Labels or annotations as a file has them: one `key="value"` a line, in the order of the keys.
  static func lines(of map: [String: String]) -> String {
    map.sorted { $0.key < $1.key }.map { "\($0.key)=\(quoted($0.value))" }.joined(separator: "\n")
  }

  /// A text in quotes, with Go's escapes.
  private static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case "\r": quoted += "\\r"
      case "\t": quoted += "\\t"
      case "\u{7}": quoted += "\\a"
      case "\u{8}": quoted += "\\b"
      case "\u{b}": quoted += "\\v"
      case "\u{c}": quoted += "\\f"
      case "\0"..<" ", "\u{7f}":
        let digits = String(scalar.value, radix: 16)
        quoted += "\\x" + (digits.count == 1 ? "0" : "") + digits
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }

  /// The value of an amount that a container may use (`core/v1` ResourceFieldSelector). `nil` if the pod has no such
  /// container, or the selector names no amount.
  ///
  /// - Parameters:
  ///   - selector: the selector.
  ///   - container: the container that is meant if the selector names none.
  func value(ofResource selector: JSONValue, container: String?) -> String? {
    let named = selector["containerName"]?.string ?? ""
    let all = pod.containers + (pod.spec["initContainers"]?.array ?? []).map(Container.init)
    guard let container = all.first(where: { $0.name == (named.isEmpty ? container : named) }),
      let parts = selector["resource"]?.string?.split(separator: ".", maxSplits: 1), parts.count == 2
    else { return nil }
    let resource = String(parts[1])
    let limit = PodQuantity(container.json[path: "resources", "limits", resource])
    let amount: PodQuantity
    switch parts[0] {
    case "limits": amount = limit ?? capacity.amount(of: resource)
    case "requests":
      amount = PodQuantity(container.json[path: "resources", "requests", resource]) ?? limit ?? PodQuantity(0)
    default: return nil
    }
    return "\(amount.divided(by: PodQuantity(selector["divisor"]) ?? PodQuantity(1)))"
  }
}
