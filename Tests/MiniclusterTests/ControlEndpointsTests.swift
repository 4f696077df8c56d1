import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

@Suite("The addresses behind services") struct ControlEndpointsTests {
  private static func service(_ spec: JSONValue) -> KubeObject {
    var service: KubeObject = [
      "apiVersion": "v1", "kind": "Service",
      "metadata": ["name": "web", "namespace": "shop", "uid": "s", "labels": ["a": "b"]], "spec": spec,
    ]
    if service.spec["clusterIP"] == nil { service.spec["clusterIP"] = "10.98.1.1" }
    return service
  }

  private static let named: JSONValue = [
    "selector": ["app": "web"],
    "ports": [
      ["name": "http", "port": 80, "targetPort": "http", "protocol": "TCP"],
      ["name": "other", "port": 81, "targetPort": 9000, "protocol": "TCP"],
    ],
  ]

  private static func addresses(_ spec: JSONValue, _ pods: [KubeObject]) throws -> ServiceEndpoints {
    try #require(ServiceEndpoints(service(spec), pods: pods, now: ControlObjects.time))
  }

  private static func endpoints(_ spec: JSONValue, _ pods: [KubeObject]) throws -> KubeObject {
    guard case .create(_, let made)? = try addresses(spec, pods).actions(endpoints: nil).first else {
      throw NothingMade()
    }
    return made
  }

  private static func slices(_ spec: JSONValue, _ pods: [KubeObject]) throws -> [KubeObject] {
    try addresses(spec, pods).actions(slices: []).map { action in
      guard case .create(_, let made) = action else { throw NothingMade() }
      return made
    }
  }

  private struct NothingMade: Error {}

  private static func reference(_ name: String) -> JSONValue {
    ["kind": "Pod", "name": .string(name), "namespace": "shop", "uid": .string("uid-\(name)")]
  }

  @Test func `Endpoints have ready and other addresses, in the order of numbers, and the ports of pods`() throws {
    let pods = [
      ControlObjects.pod("b", address: "10.97.0.10"), ControlObjects.pod("a", address: "10.97.0.9"),
      ControlObjects.pod("c", address: "10.97.0.2", isReady: false),
      ControlObjects.pod("no-address"), ControlObjects.pod("foreign", address: "10.97.0.3", labels: ["app": "x"]),
    ]
    let made = try Self.endpoints(Self.named, pods)
    #expect(made.name == "web")
    #expect(made.labels == ["a": "b", "endpoints.kubernetes.io/managed-by": "endpoint-controller"])
    #expect(
      made.json["subsets"] == [
        [
          "addresses": [
            ["ip": "10.97.0.9", "nodeName": "minicluster", "targetRef": Self.reference("a")],
            ["ip": "10.97.0.10", "nodeName": "minicluster", "targetRef": Self.reference("b")],
          ],
          "notReadyAddresses": [["ip": "10.97.0.2", "nodeName": "minicluster", "targetRef": Self.reference("c")]],
          "ports": [
            ["name": "http", "port": 8080, "protocol": "TCP"], ["name": "other", "port": 9000, "protocol": "TCP"],
          ],
        ]
      ])
  }

  @Test func `A slice has the shape that version 1 of the API has`() throws {
    let slice = try #require(
      try Self.slices(Self.named, [ControlObjects.pod("a", address: "10.97.0.9")]).first)
    #expect(slice.json["apiVersion"] == "discovery.k8s.io/v1")
    #expect(slice.json["addressType"] == "IPv4")
    #expect(slice.metadata["generateName"] == "web-")
    #expect(
      slice.labels == [
        "a": "b", "kubernetes.io/service-name": "web",
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
      ])
    #expect(slice.controller?.uid == "s")
    #expect(
      slice.json["endpoints"] == [
        [
          "addresses": ["10.97.0.9"], "nodeName": "minicluster", "targetRef": Self.reference("a"),
          "conditions": ["ready": true, "serving": true, "terminating": false],
        ]
      ])
    #expect(
      slice.json["ports"] == [
        ["name": "http", "port": 8080, "protocol": "TCP"], ["name": "other", "port": 9000, "protocol": "TCP"],
      ])
  }

  @Test func `A pod on its way out serves, but is not ready, and is no address of Endpoints`() throws {
    var leaving = ControlObjects.pod("a", address: "10.97.0.9")
    leaving.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    let slice = try #require(try Self.slices(Self.named, [leaving]).first)
    #expect(
      slice.json["endpoints"]?.array?.first?["conditions"] == ["ready": false, "serving": true, "terminating": true])
    #expect(try Self.endpoints(Self.named, [leaving]).json["subsets"] == nil)
  }

  @Test func `A service that publishes all addresses has those of pods that are not ready`() throws {
    var spec = Self.named
    spec["publishNotReadyAddresses"] = true
    let pods = [ControlObjects.pod("a", address: "10.97.0.9", isReady: false)]
    let subset = try #require(try Self.endpoints(spec, pods).json["subsets"]?.array?.first)
    #expect(subset["addresses"]?.array?.count == 1)
    #expect(subset["notReadyAddresses"] == nil)
    let slice = try #require(try Self.slices(spec, pods).first)
    #expect(
      slice.json["endpoints"]?.array?.first?["conditions"] == ["ready": true, "serving": false, "terminating": false])
  }

  @Test func `A headless service without ports has addresses, and pods their host names`() throws {
    var pod = ControlObjects.pod("a", address: "10.97.0.9")
    pod.spec["hostname"] = "one"
    pod.spec["subdomain"] = "web"
    let spec: JSONValue = ["selector": ["app": "web"], "clusterIP": "None"]
    let made = try Self.endpoints(spec, [pod, ControlObjects.pod("b", address: "10.97.0.10")])
    let subset = try #require(made.json["subsets"]?.array?.first)
    #expect(subset["addresses"]?.array?.map { $0["hostname"]?.string } == ["one", nil])
    #expect(subset["ports"] == nil)
    #expect(made.labels["service.kubernetes.io/headless"] == "")
    let slice = try #require(try Self.slices(spec, [pod]).first)
    #expect(slice.json["endpoints"]?.array?.first?["hostname"] == "one")
    #expect(slice.json["ports"] == .null)
    #expect(slice.labels["service.kubernetes.io/headless"] == "")
  }

  @Test func `A port that no container names leads nowhere`() throws {
    let spec: JSONValue = [
      "selector": ["app": "web"], "ports": [["port": 80, "targetPort": "nix", "protocol": "TCP"]],
    ]
    let pods = [ControlObjects.pod("a", address: "10.97.0.9")]
    #expect(try Self.endpoints(spec, pods).json["subsets"] == nil)
    let slice = try #require(try Self.slices(spec, pods).first)
    #expect(slice.json["ports"] == .null)
    #expect(slice.json["endpoints"]?.array?.count == 1)
  }

  @Test func `Pods that have other numbers behind a name are in groups of their own`() throws {
    let pods = [
      ControlObjects.pod("a", address: "10.97.0.9"),
      ControlObjects.pod("b", address: "10.97.0.10", ports: [["name": "http", "containerPort": 9090]]),
    ]
    #expect(try Self.endpoints(Self.named, pods).json["subsets"]?.array?.count == 2)
    #expect(try Self.slices(Self.named, pods).count == 2)
  }

  @Test func `A service without pods has one empty slice and Endpoints without subsets`() throws {
    let slices = try Self.slices(Self.named, [])
    #expect(slices.map { $0.json["endpoints"] } == [[]])
    #expect(slices.first?.json["ports"] == .null)
    #expect(try Self.endpoints(Self.named, []).json["subsets"] == nil)
  }

  @Test func `A slice is changed in place when pods come and go, and left alone when nothing changes`() throws {
    let pod = ControlObjects.pod("a", address: "10.97.0.9")
    var slice = try #require(try Self.slices(Self.named, []).first)
    slice.metadata["name"] = "web-1"
    var action = try Self.addresses(Self.named, [pod]).actions(slices: [slice])
    guard case .update(_, let filled, _)? = action.first, action.count == 1 else {
      Issue.record("the empty slice is not filled: \(action)")
      return
    }
    #expect(filled.name == "web-1")
    #expect(try Self.addresses(Self.named, [pod]).actions(slices: [filled]).isEmpty)
    action = try Self.addresses(Self.named, []).actions(slices: [filled])
    guard case .update(_, let emptied, _)? = action.first else {
      Issue.record("the slice is not emptied")
      return
    }
    #expect(emptied.json["endpoints"] == [])
    // However an empty list is stored, it is the same.
    for empty in [nil, .null, []] as [JSONValue?] {
      var stored = emptied
      stored.json["endpoints"] = empty
      stored.json["ports"] = empty
      #expect(try Self.addresses(Self.named, []).actions(slices: [stored]).isEmpty)
    }
    // Two that are empty: one is too many.
    #expect(try Self.addresses(Self.named, []).actions(slices: [emptied, emptied]).count == 1)
  }

  @Test(arguments: [["ports": [["port": 80]]], ["type": "ExternalName", "selector": ["app": "web"]]] as [JSONValue])
  func `A service that selects nothing has no addresses of ours`(spec: JSONValue) {
    #expect(ServiceEndpoints(Self.service(spec), pods: [], now: ControlObjects.time) == nil)
  }
}
