import DevrunCore
import Foundation
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("Answers in protobuf")
struct ProtobufTests {
  /// What an API server of Kubernetes 1.20 has answered, and the same as JSON.
  private static func answer(_ name: String) throws -> (protobuf: [UInt8], json: JSONValue) {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../fixtures/api")
    func read(_ end: String) throws -> [UInt8] {
      Array(try Data(contentsOf: folder.appending(path: "\(name).\(end)").standardizedFileURL))
    }
    return (try read("protobuf"), try JSONValue(text: try read("json")))
  }

  @Test(arguments: [
    (
      "services",
      [
        "items.metadata.creationTimestamp", "items.spec.externalTrafficPolicy",
        "items.status",
      ]
    ),
    (
      "endpoints",
      [
        "items.metadata.creationTimestamp",
        "items.subsets.addresses.targetRef.resourceVersion",
        "items.subsets.notReadyAddresses.targetRef.resourceVersion", "items.subsets.ports",
      ]
    ),
    (
      "endpointslices",
      [
        // Of a slice without any.
        "items.endpoints", "items.endpoints.targetRef.resourceVersion", "items.metadata.creationTimestamp",
        "items.metadata.generateName", "items.metadata.ownerReferences", "items.ports",
      ]
    ),
    ("status", []),
  ])
  func `An answer has what the server's JSON has, but for fields that devrun does not read`(
    name: String, leftOut: [String]
  ) throws {
    let (protobuf, whole) = try Self.answer(name)
    let json = try #require(try KubernetesProtobuf.json(of: protobuf))
    var missing: Set<String> = []
    if name == "status" {
      #expect(json == whole)
      return
    }
    // kubectl makes a list of its own.
    let items = try #require(json["items"]?.array).map { item -> JSONValue in
      var item = item
      item["kind"] = (json["kind"]?.string).map { .string(String($0.dropLast(4))) }
      item["apiVersion"] = json["apiVersion"]
      return item
    }
    Self.compare(["items": .array(items)], ["items": whole["items"] ?? []], "", &missing)
    #expect(missing == Set(leftOut))
    #expect(json[path: "metadata", "resourceVersion"]?.string?.isEmpty == false)
  }

  /// Expects that all of an object's members are in another, which has others as well.
  private static func compare(_ part: JSONValue, _ whole: JSONValue, _ path: String, _ missing: inout Set<String>) {
    switch (part, whole) {
    case (.object(let part), .object(let whole)):
      let prefix = path.isEmpty ? "" : path + "."
      for (name, value) in whole {
        if let own = part[name] { compare(own, value, prefix + name, &missing) } else { missing.insert(prefix + name) }
      }
      // The server's JSON has no flags that are off.
      for (name, value) in part where whole[name] == nil { #expect(value == false, "\(prefix)\(name)") }
    case (.array(let part), .array(let whole)) where part.count == whole.count:
      for (part, whole) in zip(part, whole) { compare(part, whole, path, &missing) }
    default: #expect(part == whole, "\(path)")
    }
  }

  private static let magic: [UInt8] = [0x6b, 0x38, 0x73, 0]
  /// The head of a list of services; the length of the list itself and the list follow.
  private static let services = magic + [0x0a, 0x11, 0x0a, 2] + "v1".utf8 + [0x12, 0x0b] + "ServiceList".utf8 + [0x12]

  @Test(
    arguments: [
      ([], "no object at all"), ([0x05, 0x12], "a list that is cut off"), ([0x01, 0x12], "an item without a length"),
      ([0x02, 0x12, 0x05], "an item that is longer than the list"), ([0x02, 0x00, 0x00], "the field 0"),
      ([0x02, 0x13, 0x00], "a group"), ([0x02, 0x17, 0x00], "a type that there is not"),
      ([0x02, 0x10, 0x01], "a number in place of an item"), ([0x02, 0x08, 0xff], "a number that is cut off"),
      ([0x0c, 0x08] + [UInt8](repeating: 0xff, count: 10) + [1], "a number of eleven bytes"),
      ([0x0b, 0x12, 0xff] + [UInt8](repeating: 0xff, count: 8) + [1], "a length of 64 bits"),
      ([0x05, 0x0d, 1, 2, 3], "four bytes that are three"),
      ([0x04, 0x0a, 0x02, 0x10, 0x01], "a number in place of a version"),
      ([0x04, 0x12, 0x02, 0x0a, 0x05], "metadata that are longer than their item"),
    ] as [([UInt8], String)])
  func `What is no message is an error`(bytes: [UInt8], what: String) {
    #expect(throws: ProtobufError.self, "\(what)") { try KubernetesProtobuf.json(of: Self.services + bytes) }
  }

  @Test func `Fields that are not known are skipped, whatever their type is`() throws {
    let fields: [UInt8] = [0x78, 0xff, 0x01, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 2, 0, 0, 0x7d, 1, 2, 3, 4]
    let list = fields + [0x12, 0x05, 0x0a, 0x03, 0x0a, 0x01] + "a".utf8
    let json = try KubernetesProtobuf.json(of: Self.services + [UInt8(list.count)] + list)
    #expect(json == ["apiVersion": "v1", "kind": "ServiceList", "items": [["metadata": ["name": "a"]]]])
  }

  @Test func `Another encoding and another kind are told apart`() throws {
    #expect(try KubernetesProtobuf.json(of: Array("{}".utf8)) == nil)
    let pods = Self.magic + [0x0a, 0x0d, 0x0a, 2] + "v1".utf8 + [0x12, 0x07] + "PodList".utf8
    #expect(throws: ProtobufError.unknownKind("v1 PodList")) { try KubernetesProtobuf.json(of: pods) }
  }

  @Test(arguments: ["services", "endpoints", "endpointslices", "status"])
  func `A damaged answer is read or refused`(name: String) throws {
    let whole = try Self.answer(name).protobuf
    for end in whole.indices { _ = try? KubernetesProtobuf.json(of: Array(whole[..<end])) }
    for position in whole.indices {
      for change in [1, 0x7f, 0x80, 0xff] as [UInt8] {
        var damaged = whole
        damaged[position] ^= change
        _ = try? KubernetesProtobuf.json(of: damaged)
      }
    }
  }

  // MARK: The client

  @Test(
    arguments: [
      .services(in: nil), .services(in: "shop"), .endpoints(in: "shop"), .endpointSlices(in: nil, version: "v1"),
      .endpointSlices(in: nil, version: "v1beta1"),
    ] as [ResourcePath])
  func `Lists that may be long are asked for in protobuf, and are taken as JSON, too`(path: ResourcePath) async throws {
    try await withServer { _, index in
      index == 0
        ? .json(200, ["kind": "List", "metadata": ["resourceVersion": "1"], "items": [["metadata": ["name": "a"]]]])
        : .protobuf(
          200, Self.services + [0x0c, 0x0a, 0x03, 0x12, 0x01, 0x37, 0x12, 0x05, 0x0a, 0x03, 0x0a, 0x01, 0x62])
    } _: { client, server in
      #expect(try await client.list(path).items.map(\.name) == ["a"])
      let list = try await client.list(path)
      #expect(list.items == [["apiVersion": "v1", "kind": "Service", "metadata": ["name": "b"]]])
      #expect(list.resourceVersion == "7")
      let accepted = server.requests.map { $0.headers["Accept"] }
      #expect(accepted == Array(repeating: ["application/vnd.kubernetes.protobuf, application/json"], count: 2))
    }
  }

  @Test func `All else is asked for in JSON`() async throws {
    try await withServer { _, _ in
      .json(200, ["kind": "List", "metadata": ["resourceVersion": "1"], "items": nil])
    } _: { client, server in
      _ = try await client.list(.pods(in: "shop"))
      _ = try await client.get(.services(in: "shop").named("web"))
      _ = try await client.list(.services(in: "shop"), metadataOnly: true)
      #expect(server.requests.allSatisfy { !$0.headers["Accept"].joined().contains("protobuf") })
    }
  }

  @Test func `A refusal in protobuf is the same error as one in JSON`() async throws {
    let (protobuf, json) = try Self.answer("status")
    try await withServer { _, index in
      index == 0 ? .protobuf(404, protobuf) : .json(404, json)
    } _: { client, _ in
      let errors = [
        try await caught(KubeError.self) { _ = try await client.list(.services(in: "shop")) },
        try await caught(KubeError.self) { _ = try await client.list(.services(in: "shop")) },
      ].compactMap { $0 }
      #expect(errors.count == 2 && errors[0].description == errors[1].description)
      #expect(errors[0].isNotFound && errors[0].description.contains(#"services "none" not found"#))
    }
  }

  @Test func `An answer that is damaged is an error that names the request`() async throws {
    try await withServer { _, _ in
      .protobuf(200, Self.services + [0x05])
    } _: { client, _ in
      let error = try await caught(KubeError.self) { _ = try await client.list(.services(in: "shop")) }
      #expect(error?.description.contains("the protobuf message is cut off") == true)
      #expect(error?.description.contains("list services in namespace shop") == true)
    }
  }
}
