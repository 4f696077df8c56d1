// The addresses behind a service, as a function of the service and the pods: its Endpoints (`core/v1`) and its
// EndpointSlices (`discovery.k8s.io/v1`, https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/).

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// The addresses behind a service.
struct ServiceEndpoints: Sendable {
  private let service: KubeObject
  /// The pods that the service selects and that have an address, in the order of their addresses.
  private let pods: [KubeObject]
  private let now: Date

  static let serviceName = "kubernetes.io/service-name"
  static let managedBy = "endpointslice.kubernetes.io/managed-by"
  static let sliceManager = "endpointslice-controller.k8s.io"
  private static let headless = "service.kubernetes.io/headless"
  private static let trigger = "endpoints.kubernetes.io/last-change-trigger-time"

  /// The addresses behind a service. `nil` if it selects no pods: then its addresses are somebody else's matter.
  ///
  /// - Parameter pods: the pods of its namespace.
  init?(_ service: KubeObject, pods: [KubeObject], now: Date) {
    guard let labels = service.spec["selector"]?.stringMap, !labels.isEmpty,
      service.spec["type"]?.string != "ExternalName"
    else { return nil }
    let match = LabelMatch(labels: labels)
    self.service = service
    self.now = now
    self.pods = pods.filter { !$0.hasEnded && $0.podAddress != nil && match.matches($0.labels) }
      .sorted { ($0.sortedAddress, $0.name) < ($1.sortedAddress, $1.name) }
  }

  private var isHeadless: Bool { service.spec["clusterIP"]?.string == "None" }
  private var publishesAll: Bool { service.spec["publishNotReadyAddresses"]?.bool ?? false }
  private var servicePorts: [JSONValue] { service.spec["ports"]?.array ?? [] }

  // MARK: Ports

  /// A port of a pod that a port of the service leads to.
  private struct Port: Hashable {
    var name: String
    var number: Int
    var transport: String
    var application: String?

    func json(namingAlways: Bool) -> JSONValue {
      var json: JSONValue = ["port": .int(Int64(number)), "protocol": .string(transport)]
      if namingAlways || !name.isEmpty { json["name"] = .string(name) }
      json["appProtocol"] = application.map(JSONValue.string)
      return json
    }
  }

  /// The ports of a pod behind those of the service. A name that no container of the pod has leads nowhere.
  private func ports(of pod: KubeObject) -> [Port] {
    servicePorts.compactMap { port in
      let transport = port["protocol"]?.string ?? "TCP"
      guard let number = Self.target(of: port, transport: transport, in: pod) else { return nil }
      return Port(
        name: port["name"]?.string ?? "", number: number, transport: transport,
        application: port["appProtocol"]?.string)
    }
  }

  private static func target(of port: JSONValue, transport: String, in pod: KubeObject) -> Int? {
    guard let target = port["targetPort"], target != .null else { return port["port"]?.int }
    if let number = target.int { return number == 0 ? port["port"]?.int : number }
    guard let name = target.string else { return nil }
    let sidecars = (pod.spec["initContainers"]?.array ?? []).map(Container.init)
      .filter { $0.json["restartPolicy"]?.string == "Always" }
    return (pod.containers + sidecars).lazy.flatMap(\.ports)
      .first { $0.name == name && $0.transport == transport }?.number
  }

  // MARK: Endpoints

  /// What makes the service's Endpoints what they should be.
  func actions(endpoints present: KubeObject?) -> [ControllerAction] {
    var labels = service.labels
    if isHeadless { labels[Self.headless] = "" }
    labels["endpoints.kubernetes.io/managed-by"] = "endpoint-controller"
    let subsets = subsets
    guard var present else {
      var made = KubeObject(["apiVersion": "v1", "kind": "Endpoints"])
      made.metadata = ["name": .string(service.name)]
      made.metadata["namespace"] = service.namespace.map(JSONValue.string)
      made.labels = labels
      made.annotations[Self.trigger] = now.apiTime
      if !subsets.isEmpty { made.json["subsets"] = .array(subsets) }
      return [.create(.endpoints, made)]
    }
    guard present.labels != labels || present.json["subsets"]?.array ?? [] != subsets else { return [] }
    present.labels = labels
    present.annotations[Self.trigger] = now.apiTime
    present.json["subsets"] = subsets.isEmpty ? nil : .array(subsets)
    return [.update(.endpoints, present, .main)]
  }

  /// The addresses in groups that have the same ports.
  private var subsets: [JSONValue] {
    var groups: [(ports: [Port], ready: [JSONValue], notReady: [JSONValue])] = []
    for pod in pods where publishesAll || !pod.isTerminating {
      let ports = ports(of: pod)
      guard !ports.isEmpty || isHeadless && servicePorts.isEmpty else { continue }
      let index = groups.firstIndex { $0.ports == ports } ?? groups.endIndex
      if index == groups.endIndex { groups.append((ports, [], [])) }
      if publishesAll || pod.hasCondition("Ready") {
        groups[index].ready.append(address(of: pod))
      } else {
        groups[index].notReady.append(address(of: pod))
      }
    }
    return groups.map { group in
      var subset: JSONValue = [:]
      if !group.ready.isEmpty { subset["addresses"] = .array(group.ready) }
      if !group.notReady.isEmpty { subset["notReadyAddresses"] = .array(group.notReady) }
      if !group.ports.isEmpty { subset["ports"] = .array(group.ports.map { $0.json(namingAlways: false) }) }
      return subset
    }
  }

  private func address(of pod: KubeObject) -> JSONValue {
    var address: JSONValue = ["ip": .string(pod.podAddress ?? ""), "targetRef": reference(to: pod)]
    address["nodeName"] = pod.spec["nodeName"]
    address["hostname"] = hostname(of: pod)
    return address
  }

  private func reference(to pod: KubeObject) -> JSONValue {
    var reference: JSONValue = ["kind": "Pod", "name": .string(pod.name)]
    reference["namespace"] = pod.namespace.map(JSONValue.string)
    reference["uid"] = pod.uid.map(JSONValue.string)
    return reference
  }

  /// The name that the pod has within the service: its host name, if the service is its subdomain.
  private func hostname(of pod: KubeObject) -> JSONValue? {
    guard pod.spec["subdomain"]?.string == service.name, let name = pod.spec["hostname"]?.string, !name.isEmpty else {
      return nil
    }
    return .string(name)
  }

  // MARK: EndpointSlices

  /// What makes the service's EndpointSlices what they should be: one slice for all pods that have the same ports.
  func actions(slices present: [KubeObject]) -> [ControllerAction] {
    var labels = service.labels
    if isHeadless { labels[Self.headless] = "" }
    labels[Self.managedBy] = Self.sliceManager
    labels[Self.serviceName] = service.name
    var left = present.filter { !$0.isTerminating }
    var actions: [ControllerAction] = []
    var unmatched: [Slice] = []
    for group in slices {
      guard let index = left.firstIndex(where: { $0.json["ports"]?.array ?? [] == group.ports }) else {
        unmatched.append(group)
        continue
      }
      actions += update(left.remove(at: index), to: group, labels)
    }
    // A slice whose ports nothing has any more gets others, as long as there are any: watchers see one change, not two.
    for group in unmatched {
      if left.isEmpty {
        actions.append(.create(.endpointSlice, slice(group, labels)))
      } else {
        actions += update(left.removeFirst(), to: group, labels)
      }
    }
    return actions + left.map { .delete(.endpointSlice, $0) }
  }

  /// What a slice has. Its ports and endpoints are null or absent in objects that have none.
  private typealias Slice = (ports: [JSONValue], endpoints: [JSONValue])

  private var slices: [Slice] {
    var groups: [(ports: [Port], endpoints: [JSONValue])] = []
    for pod in pods {
      let ports = ports(of: pod)
      let index = groups.firstIndex { $0.ports == ports } ?? groups.endIndex
      if index == groups.endIndex { groups.append((ports, [])) }
      groups[index].endpoints.append(endpoint(of: pod))
    }
    // Without pods there is one slice that says so.
    guard !groups.isEmpty else { return [([], [])] }
    return groups.map { ($0.ports.map { $0.json(namingAlways: true) }, $0.endpoints) }
  }

  private func endpoint(of pod: KubeObject) -> JSONValue {
    let (serves, isTerminating) = (pod.hasCondition("Ready"), pod.isTerminating)
    var endpoint: JSONValue = [
      "addresses": [.string(pod.podAddress ?? "")],
      "conditions": [
        "ready": .bool(publishesAll || serves && !isTerminating), "serving": .bool(serves),
        "terminating": .bool(isTerminating),
      ],
      "targetRef": reference(to: pod),
    ]
    endpoint["nodeName"] = pod.spec["nodeName"]
    endpoint["hostname"] = hostname(of: pod)
    return endpoint
  }

  private func slice(_ group: Slice, _ labels: [String: String]) -> KubeObject {
    var slice = KubeObject([
      "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
      "ports": group.ports.isEmpty ? .null : .array(group.ports), "endpoints": .array(group.endpoints),
    ])
    slice.metadata = ["generateName": .string("\(service.name)-")]
    slice.metadata["namespace"] = service.namespace.map(JSONValue.string)
    slice.setOwner(service.controllerReference)
    slice.labels = labels
    slice.annotations[Self.trigger] = now.apiTime
    return slice
  }

  private func update(
    _ slice: KubeObject, to group: Slice, _ labels: [String: String]
  ) -> [ControllerAction] {
    guard
      slice.labels != labels || slice.json["ports"]?.array ?? [] != group.ports
        || slice.json["endpoints"]?.array ?? [] != group.endpoints
    else { return [] }
    var slice = slice
    slice.labels = labels
    slice.annotations[Self.trigger] = now.apiTime
    slice.json["ports"] = group.ports.isEmpty ? .null : .array(group.ports)
    slice.json["endpoints"] = .array(group.endpoints)
    return [.update(.endpointSlice, slice, .main)]
  }
}

extension KubeObject {
  /// `status.podIP`
  fileprivate var podAddress: String? { status["podIP"]?.string.flatMap { $0.isEmpty ? nil : $0 } }

  /// The address in a form whose order is that of numbers.
  fileprivate var sortedAddress: String {
    (podAddress ?? "").split(separator: ".").map { String(repeating: "0", count: max(0, 3 - $0.count)) + $0 }
      .joined(separator: ".")
  }
}
