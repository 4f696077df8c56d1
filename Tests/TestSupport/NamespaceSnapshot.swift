public import DevrunCore
internal import Foundation

/// All objects of a namespace, without what may differ between two moments of the same state: status, timestamps,
/// generations, resource versions, names, uids and nodes of pods, what the cluster derives from those, and the
/// Deployment's revision number.
///
/// Two snapshots of a namespace that devrun has left as it found it are equal.
public struct NamespaceSnapshot: Sendable, Equatable {
  /// The objects by kind and name; pods by the name that theirs are generated from, numbered.
  private var objects: [String: JSONValue] = [:]
  /// `kubectl rollout history` of all Deployments.
  private var history: String

  /// A snapshot of a namespace.
  ///
  /// - Parameters:
  ///   - all: each object of the namespace, as the API has it.
  ///   - history: what `kubectl rollout history` prints of all Deployments.
  public init(objects all: [JSONValue], history: String = "") {
    self.history = history
    var pods: [String: [JSONValue]] = [:]
    for object in all {
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
  public func differences(from earlier: NamespaceSnapshot) -> [String] {
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
    case "Pod": object = lastingPod(object)
    case "Endpoints": object["subsets"] = .array((object["subsets"]?.array ?? []).map(lastingSubset))
    case "EndpointSlice": object["endpoints"] = lastingEndpoints(object["endpoints"])
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

  /// A pod without what its successor may have another of: the node that the scheduler chose, with the labels that the
  /// pod has from there, and the name of the volume that has the token of its account.
  ///
  /// Since Kubernetes 1.21 that volume is called `kube-api-access-` and five random characters. Before, it had the name
  /// of a Secret, such as `default-token-x7k2p`, which is the same for all pods of the account.
  private static func lastingPod(_ pod: JSONValue) -> JSONValue {
    var pod = pod
    if pod[path: "metadata", "generateName"] != nil {
      pod["spec"]?["nodeName"] = nil
      for label in pod[path: "metadata", "labels"]?.object?.keys.filter({ $0.hasPrefix("topology.kubernetes.io/") })
        ?? []
      {
        pod["metadata"]?["labels"]?[label] = nil
      }
    }
    let names = (pod[path: "spec", "volumes"]?.array ?? []).compactMap { volume -> String? in
      let sources = volume[path: "projected", "sources"]?.array ?? []
      guard sources.contains(where: { $0["serviceAccountToken"] != nil }), let name = volume["name"]?.string,
        name.wholeMatch(of: /kube-api-access-[a-z0-9]{5}/) != nil
      else { return nil }
      return name
    }
    for name in names { pod = renaming(name, to: "kube-api-access-*", in: pod) }
    return pod
  }

  /// A value in which a name is another: as a string of its own, or within the names of members, which managed fields
  /// are called by (`k:{"name":"NAME"}`).
  private static func renaming(_ name: String, to other: String, in value: JSONValue) -> JSONValue {
    switch value {
    case .string(name): .string(other)
    case .array(let elements): .array(elements.map { renaming(name, to: other, in: $0) })
    case .object(let members):
      .object(
        Dictionary(
          members.map { ($0.key.replacing(name, with: other), renaming(name, to: other, in: $0.value)) },
          uniquingKeysWith: { $1 }))
    default: value
    }
  }

  private static func lastingSubset(_ subset: JSONValue) -> JSONValue {
    var subset = subset
    for list in ["addresses", "notReadyAddresses"] where subset[list] != nil {
      subset[list] = lastingEndpoints(subset[list])
    }
    return subset
  }

  /// Endpoints in an order that does not depend on their addresses.
  private static func lastingEndpoints(_ endpoints: JSONValue?) -> JSONValue {
    .array((endpoints?.array ?? []).map(lastingEndpoint).sorted { text($0) < text($1) })
  }

  /// An endpoint that stands for a pod, without that pod's name, address and place.
  private static func lastingEndpoint(_ endpoint: JSONValue) -> JSONValue {
    guard endpoint[path: "targetRef", "kind"]?.string == "Pod" else { return endpoint }
    var endpoint = endpoint
    for name in ["ip", "addresses", "nodeName", "zone", "hints"] { endpoint[name] = nil }
    for name in ["name", "uid", "resourceVersion"] { endpoint["targetRef"]?[name] = nil }
    return endpoint
  }
}
