import DevrunCore
import DevrunKube
import Foundation
import NIOCore
import NIOHTTP1
import Testing

@testable import Minicluster

@Suite("The minicluster's answers")
struct APIResponderTests {
  private let store = ObjectStore()
  private let node = PlayedNode()

  private static let web: KubeObject = [
    "metadata": ["name": "web", "namespace": "default"],
    "spec": [
      "replicas": 2, "selector": ["matchLabels": ["app": "web"]],
      "template": [
        "metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "app", "image": "busybox"]]],
      ],
    ],
  ]
  private static let pod: KubeObject = [
    "metadata": ["name": "web-0", "namespace": "default"],
    "spec": ["containers": [["name": "app", "image": "busybox"]]],
  ]
  private static let deployment = "/apis/apps/v1/namespaces/default/deployments/web"

  private func ask(
    _ method: HTTPMethod, _ uri: String, _ body: JSONValue? = nil, type: String = "application/json",
    accept: String = "application/json"
  ) async throws -> (JSONValue, Int) {
    var head = HTTPRequestHead(version: .http1_1, method: method, uri: uri)
    head.headers = ["Content-Type": type, "Accept": accept, "User-Agent": "kubectl/v1.34.0 (linux/amd64)"]
    var request = APIRequest(head, user: .admin)
    request.body = body?.text ?? []
    guard case .json(let json, let code) = await APIResponder(store: store, node: node).answer(request) else {
      throw CocoaError(.coderReadCorrupt)
    }
    return (json, code)
  }

  @Test func `The number of replicas is read and set on its own`() async throws {
    try store.create(Self.web, of: .deployment, by: "test")
    let (scale, _) = try await ask(.GET, Self.deployment + "/scale")
    #expect(scale["kind"] == "Scale" && scale[path: "spec", "replicas"] == 2)
    #expect(scale[path: "status", "selector"] == "app=web")
    let (_, code) = try await ask(
      .PATCH, Self.deployment + "/scale", ["spec": ["replicas": 5]], type: "application/merge-patch+json")
    #expect(code == 200)
    let object = store.object(.deployment, in: "default", named: "web")
    #expect(object?.spec["replicas"] == 5)
    #expect(object?.generation == 2)
    let (refused, _) = try await ask(
      .PATCH, Self.deployment + "/scale", ["spec": ["replicas": -1]], type: "application/merge-patch+json")
    #expect(
      refused["message"]
        == "Scale.autoscaling \"web\" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0")
  }

  @Test func `A status is written by its own path alone`() async throws {
    try store.create(Self.web, of: .deployment, by: "test")
    let change: JSONValue = ["spec": ["replicas": 7], "status": ["replicas": 1]]
    _ = try await ask(.PATCH, Self.deployment + "/status", change, type: "application/merge-patch+json")
    #expect(store.object(.deployment, in: "default", named: "web")?.spec["replicas"] == 2)
    #expect(store.object(.deployment, in: "default", named: "web")?.status["replicas"] == 1)
    let other: JSONValue = ["status": ["replicas": 9]]
    _ = try await ask(.PATCH, Self.deployment, other, type: "application/merge-patch+json")
    #expect(store.object(.deployment, in: "default", named: "web")?.status["replicas"] == 1)
  }

  @Test func `A dry run changes nothing`() async throws {
    try store.create(Self.web, of: .deployment, by: "test")
    let before = store.resourceVersion
    let (object, code) = try await ask(
      .PATCH, Self.deployment + "?dryRun=All", ["spec": ["replicas": 7]], type: "application/merge-patch+json")
    #expect(code == 200 && object[path: "spec", "replicas"] == 7)
    _ = try await ask(.DELETE, Self.deployment + "?dryRun=All")
    #expect(store.resourceVersion == before)
  }

  @Test func `A deletion is answered by a success or by what is on its way out`() async throws {
    try store.create(Self.web, of: .deployment, by: "test")
    let (status, _) = try await ask(.DELETE, Self.deployment)
    #expect(status["status"] == "Success" && status[path: "details", "group"] == "apps")
    var pod = Self.pod
    pod.spec["nodeName"] = "minicluster"
    try store.create(pod, of: .pod, by: "test")
    let (terminating, _) = try await ask(.DELETE, "/api/v1/namespaces/default/pods/web-0")
    #expect(terminating["kind"] == "Pod" && terminating[path: "metadata", "deletionTimestamp"] != nil)
    #expect(store.object(.pod, in: "default", named: "web-0")?.isTerminating == true)
    let (gone, _) = try await ask(.DELETE, "/api/v1/namespaces/default/pods/web-0", ["gracePeriodSeconds": 0])
    #expect(gone["kind"] == "Pod")
    #expect(store.object(.pod, in: "default", named: "web-0") == nil)
  }

  @Test func `A pod is evicted`() async throws {
    try store.create(Self.pod, of: .pod, by: "test")
    let (_, code) = try await ask(
      .POST, "/api/v1/namespaces/default/pods/web-0/eviction",
      ["apiVersion": "policy/v1", "kind": "Eviction", "metadata": ["name": "web-0"]])
    #expect(code == 201)
    #expect(store.object(.pod, in: "default", named: "web-0") == nil)
  }

  @Test func `A selected part of a collection is deleted`() async throws {
    for name in ["a", "b", "c"] {
      let labels: JSONValue = ["kind": name == "c" ? "kept" : "old"]
      try store.create(
        ["metadata": ["name": .string(name), "namespace": "default", "labels": labels]], of: .configMap, by: "test")
    }
    let (list, _) = try await ask(.DELETE, "/api/v1/namespaces/default/configmaps?labelSelector=kind%3Dold")
    #expect(list["items"]?.array?.count == 2)
    #expect(store.list(.configMap, in: "default").objects.map(\.name) == ["c"])
  }

  @Test func `A client that reads tables gets the columns of kubectl`() async throws {
    try store.create(Self.pod, of: .pod, by: "test")
    let (table, _) = try await ask(
      .GET, "/api/v1/pods", accept: "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
    #expect(table["kind"] == "Table")
    let names = table["columnDefinitions"]?.array?.compactMap { $0["name"]?.string }
    #expect(names?.prefix(5) == ["Name", "Ready", "Status", "Restarts", "Age"])
    let row = table["rows"]?.array?.first
    #expect(row?["cells"]?.array?.prefix(3) == ["web-0", "0/1", "Pending"])
    #expect(row?[path: "object", "kind"] == "PartialObjectMetadata")
  }

  @Test func `A client that accepts nothing that is served is refused`() async throws {
    let (status, code) = try await ask(.GET, "/api/v1/pods", accept: "application/vnd.kubernetes.protobuf")
    #expect(code == 406 && status["reason"] == "NotAcceptable")
  }

  @Test func `Every kind is described with its verbs and its paths`() async throws {
    let (groups, _) = try await ask(.GET, "/apis")
    let names = groups["groups"]?.array?.compactMap { $0["name"]?.string } ?? []
    var described: Set<String> = []
    for path in ["/api/v1"] + names.map({ "/apis/\($0)/v1" }) {
      let (list, _) = try await ask(.GET, path)
      described.formUnion((list["resources"]?.array ?? []).compactMap { $0["name"]?.string })
    }
    #expect(described.isSuperset(of: ObjectKind.all.map(\.resource)))
    #expect(described.isSuperset(of: ["pods/log", "pods/portforward", "deployments/scale", "deployments/status"]))
    #expect(described.contains("selfsubjectaccessreviews"))
  }

  @Test func `A log begins at the second that is asked for`() {
    let log = """
      2026-11-26T16:00:00.999999999Z old
      2026-11-26T16:00:01.000000001Z first
      2026-11-26T16:00:02Z second

      """
    let start = Date(timeIntervalSince1970: 1_795_708_801.5)
    for (hasTimestamps, expected) in [
      (false, "first\nsecond\n"), (true, String(log.split(separator: "\n", maxSplits: 1)[1])),
    ] {
      var filter = LogFilter(start: start, hasTimestamps: hasTimestamps)
      // A part may end anywhere.
      var text = ""
      for byte in log.utf8 { text += String(buffer: filter.receive(ByteBuffer(bytes: [byte]))) }
      text += String(buffer: filter.finish())
      #expect(text == expected)
    }
  }
}
