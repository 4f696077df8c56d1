import DevrunCore
import Foundation

/// All objects of a namespace, without what may differ between two moments of the same state: status, timestamps,
/// generations, resource versions, pod names and uids, what the cluster derives from those, and the Deployment's
/// revision number.
///
/// Two snapshots of a namespace that devrun has left as it found it are equal.
struct NamespaceSnapshot: Sendable, Equatable {
  /// The objects by kind and name; pods by the name that theirs are generated from, numbered.
  private(set) var objects: [String: JSONValue] = [:]
  /// `kubectl rollout history` of all Deployments.
  private(set) var history = ""

  /// Takes a snapshot of the namespace.
  init(of kubectl: Kubectl) async throws {
    history = try await kubectl("rollout", "history", "deployment")
    var pods: [String: [JSONValue]] = [:]
    for object in try await kubectl.everything() {
      let name = object[path: "metadata", "name"]?.string ?? "?"
      let kind = object["kind"]?.string ?? "?"
      if kind == "Pod" {
        pods[object[path: "metadata", "generateName"]?.string ?? name, default: []].append(Self.lasting(object))
      } else {
        objects["\(kind)/\(name) (\(object["apiVersion"]?.string ?? "?"))"] = Self.lasting(object)
      }
    }
    for (base, alike) in pods {
      for (index, pod) in alike.sorted(by: { Self.text($0) < Self.text($1) }).enumerated() {
        objects["Pod/\(base)#\(index)"] = pod
      }
    }
  }

  /// In words, each difference of this snapshot from an earlier one.
  func differences(from earlier: NamespaceSnapshot) -> [String] {
    var found: [String] = []
    for key in Set(objects.keys).union(earlier.objects.keys).sorted() {
      compare(earlier.objects[key], objects[key], at: key, into: &found)
    }
    if history != earlier.history {
      found.append("the rollout history was\n\(earlier.history)\nand is\n\(history)")
    }
    return found
  }

  private func compare(_ old: JSONValue?, _ new: JSONValue?, at path: String, into found: inout [String]) {
    if old == new { return }
    switch (old, new) {
    case (.object(let old)?, .object(let new)?):
      for name in Set(old.keys).union(new.keys).sorted() {
        compare(old[name], new[name], at: "\(path) .\(name)", into: &found)
      }
    case (.array(let old)?, .array(let new)?) where old.count == new.count:
      for index in old.indices { compare(old[index], new[index], at: "\(path) [\(index)]", into: &found) }
    default:
      found.append("\(path): \(Self.short(old)) -> \(Self.short(new))")
    }
  }

  private static func short(_ value: JSONValue?) -> String {
    let text = value.map(text) ?? "absent"
    return text.count > 300 ? text.prefix(300) + "..." : text
  }

  /// The one text of a value: its members are in order.
  private static func text(_ value: JSONValue) -> String {
    switch value {
    case .object(let members):
      "{" + members.sorted { $0.key < $1.key }.map { "\($0.key): \(text($0.value))" }.joined(separator: ", ") + "}"
    case .array(let elements): "[" + elements.map(text).joined(separator: ", ") + "]"
    case .string(let value): "'\(value)'"
    case .int(let value): "\(value)"
    case .double(let value): "\(value)"
    case .bool(let value): "\(value)"
    case .null: "null"
    }
  }
}

extension NamespaceSnapshot {
  /// What of an object must be the same again.
  private static func lasting(_ object: JSONValue) -> JSONValue {
    var object = object
    let kind = object["kind"]?.string
    object["status"] = nil
    var metadata = object["metadata"] ?? nil
    for name in ["resourceVersion", "generation", "selfLink"] { metadata[name] = nil }
    // The time at which a pod changed last, and the number that a Deployment gives to its newest template.
    drop(annotation: "endpoints.kubernetes.io/last-change-trigger-time", of: &metadata)
    if kind == "Deployment" { drop(annotation: "deployment.kubernetes.io/revision", of: &metadata) }
    if kind == "Pod" {
      for name in ["name", "uid", "creationTimestamp"] { metadata[name] = nil }
    }
    // The owners of what a controller alone writes come and go with its annotations.
    let isControllers = kind == "Endpoints" || kind == "EndpointSlice"
    metadata["managedFields"] = isControllers ? nil : lastingManagers(metadata["managedFields"])
    object["metadata"] = metadata
    switch kind {
    case "Endpoints": object["subsets"] = .array((object["subsets"]?.array ?? []).map(lastingSubset))
    case "EndpointSlice": object["endpoints"] = .array((object["endpoints"]?.array ?? []).map(lastingEndpoint))
    default: break
    }
    return object
  }

  private static func drop(annotation: String, of metadata: inout JSONValue) {
    metadata["annotations"]?[annotation] = nil
    if metadata["annotations"]?.object?.isEmpty == true { metadata["annotations"] = nil }
  }

  /// Who owns which field, without the times and without the fields of the status.
  private static func lastingManagers(_ managers: JSONValue?) -> JSONValue? {
    guard let managers = managers?.array else { return nil }
    let lasting = managers.compactMap { manager -> JSONValue? in
      var manager = manager
      manager["time"] = nil
      manager["fieldsV1"]?["f:status"] = nil
      let time = "f:endpoints.kubernetes.io/last-change-trigger-time"
      if var annotations = manager[path: "fieldsV1", "f:metadata", "f:annotations"], annotations[time] != nil {
        annotations[time] = nil
        manager["fieldsV1"]?["f:metadata"]?["f:annotations"] = annotations == [".": [:]] ? nil : annotations
        if manager[path: "fieldsV1", "f:metadata"]?.object?.isEmpty == true { manager["fieldsV1"]?["f:metadata"] = nil }
      }
      return manager["fieldsV1"]?.object?.isEmpty == true ? nil : manager
    }
    return .array(lasting.sorted { text($0) < text($1) })
  }

  private static func lastingSubset(_ subset: JSONValue) -> JSONValue {
    var subset = subset
    for list in ["addresses", "notReadyAddresses"] {
      guard let addresses = subset[list]?.array else { continue }
      subset[list] = .array(addresses.map(lastingEndpoint))
    }
    return subset
  }

  /// An endpoint that stands for a pod, without that pod's name and address.
  private static func lastingEndpoint(_ endpoint: JSONValue) -> JSONValue {
    guard endpoint[path: "targetRef", "kind"]?.string == "Pod" else { return endpoint }
    var endpoint = endpoint
    for name in ["ip", "addresses"] { endpoint[name] = nil }
    for name in ["name", "uid", "resourceVersion"] { endpoint["targetRef"]?[name] = nil }
    return endpoint
  }
}

extension Kubectl {
  /// The kinds of objects that namespaces hold, but the events and what metrics servers make up.
  static func lastingKinds() async throws -> [String] {
    try await run(["kubectl", "api-resources", "--verbs=list", "--namespaced", "-o", "name"]).text
      .split(separator: "\n").map(String.init)
      .filter { !$0.hasPrefix("events") && !$0.hasSuffix(".metrics.k8s.io") }
  }

  /// Every object of the namespace, of the kinds that last.
  func everything() async throws -> [JSONValue] {
    let list = try await run(
      ["kubectl", "-n", namespace, "get", kinds.joined(separator: ","), "-o", "json", "--show-managed-fields"])
    return try Self.parse(list.output)["items"]?.array ?? []
  }

  /// The resource version of every object: equal at two moments if nothing was written between them.
  func resourceVersions() async throws -> [String: String] {
    let pairs = try await everything().map { object in
      (
        "\(object["kind"]?.string ?? "?")/\(object[path: "metadata", "name"]?.string ?? "?")",
        object[path: "metadata", "resourceVersion"]?.string ?? "?"
      )
    }
    return Dictionary(pairs, uniquingKeysWith: { $1 })
  }
}
