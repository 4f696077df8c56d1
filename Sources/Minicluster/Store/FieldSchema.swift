// How Kubernetes takes values apart: which lists it merges by the keys of their elements, and which values are one whole
// (`x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-map-type` in its OpenAPI documents).
internal import DevrunCore

/// The schema of one place in an object.
struct FieldSchema {
  private let kind: ObjectKind
  /// The name of the field; empty for the object itself and for an element of a list.
  private var field = ""

  /// The schema of an object.
  init(kind: ObjectKind) { self.kind = kind }

  /// The keys of the elements of lists that are merged.
  private static let keys: [String: [String]] = [
    "containers": ["name"], "initContainers": ["name"], "ephemeralContainers": ["name"], "env": ["name"],
    "volumes": ["name"], "volumeMounts": ["mountPath"], "volumeDevices": ["devicePath"], "imagePullSecrets": ["name"],
    "hostAliases": ["ip"], "conditions": ["type"], "addresses": ["type"], "podIPs": ["ip"], "ownerReferences": ["uid"],
    "secrets": ["name"], "topologySpreadConstraints": ["topologyKey", "whenUnsatisfiable"], "claims": ["name"],
    "schedulingGates": ["name"],
  ]
  /// Objects that are one whole.
  private static let atomic: Set<String> = [
    "selector", "nodeSelector", "labelSelector", "podSelector", "namespaceSelector", "secretKeyRef", "configMapKeyRef",
    "fieldRef", "resourceFieldRef", "secretRef", "configMapRef", "involvedObject", "claimRef",
  ]
  /// Lists of objects that are one whole each.
  private static let ofAtomic: Set<String> = ["ownerReferences", "imagePullSecrets", "secrets"]

  /// The parts of a value, by the step that leads to each; `nil` for a value that is one whole.
  func parts(of value: JSONValue) -> [String: JSONValue]? {
    switch value {
    case .object(let members):
      guard !Self.atomic.contains(field) else { return nil }
      return Dictionary(uniqueKeysWithValues: members.map { ("f:" + $0.key, $0.value) })
    case .array(let elements):
      if field == "finalizers" {
        return Dictionary(elements.map { ("v:" + $0.compactText, $0) }, uniquingKeysWith: { first, _ in first })
      }
      guard let keys = keys(of: elements) else { return nil }
      var parts: [String: JSONValue] = [:]
      for element in elements {
        var key: [String: JSONValue] = [:]
        for name in keys { key[name] = element[name] }
        let step = "k:" + JSONValue.object(key).compactText
        // A key that is missing, or not unique, is none.
        guard key.count == keys.count, parts.updateValue(element, forKey: step) == nil else { return nil }
      }
      return parts
    default: return nil
    }
  }

  /// The schema below a step.
  func below(_ step: String) -> FieldSchema {
    var schema = self
    if step.hasPrefix("f:") {
      schema.field = String(step.dropFirst(2))
    } else {
      schema.field = Self.ofAtomic.contains(field) ? "selector" : ""
    }
    return schema
  }

  private func keys(of elements: [JSONValue]) -> [String]? {
    guard field == "ports" else { return Self.keys[field] }
    if kind == .service { return ["port", "protocol"] }
    return elements.contains { $0["containerPort"] != nil } ? ["containerPort", "protocol"] : nil
  }
}

extension JSONValue {
  /// The value as JSON text.
  var compactText: String { String(decoding: text, as: UTF8.self) }
}
