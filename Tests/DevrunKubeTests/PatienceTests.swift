import DevrunCore
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("Patience with servers and lines")
struct PatienceTests {
  @Test(arguments: [(nil, Duration.zero), (5, .seconds(5)), (3600, .zero)] as [(Int?, Duration)])
  func `An operation is repeated no earlier than the server asks`(retryAfter: Int?, wait: Duration) {
    let status = APIStatus(code: 429, message: "busy", details: .init(retryAfterSeconds: retryAfter))
    #expect(KubeError.status(status, request: "get", context: "c").serverDelay == wait)
  }

  @Test func `Six bodies of an agent have time to share a line of 250 kbit per second`() {
    let size = 1_300_000
    let whole = Duration.seconds(6 * size * 8 / 250_000)
    #expect(KubeClient.uploadTime([UInt8](repeating: 0, count: size)) + KubeClient.Options().requestTimeout > whole)
    #expect(KubeClient.uploadTime(nil) == .zero)
  }

  @Test func `Retry-After of an answer is part of its status`() async throws {
    try await withServer { _, _ in
      .status(429, reason: "TooManyRequests", message: "busy", ["Retry-After": "3600"])
    } _: { client, _ in
      let error = try await caught(KubeError.self) { _ = try await client.get(.namespaces) }
      #expect(error?.status?.details.retryAfterSeconds == 3600)
    }
  }

  @Test func `A creation whose object is not wanted back is answered with the metadata`() async throws {
    try await withServer { _, _ in
      .json(201, ["kind": "PartialObjectMetadata", "metadata": ["name": "a"]])
    } _: { client, server in
      let made = try await client.create(
        ["kind": "ConfigMap", "metadata": ["name": "a"], "data": ["k": "v"]], in: .pods(in: "shop"), metadataOnly: true)
      #expect(made.name == "a")
      #expect(
        server.requests.map { $0.headers.first(name: "Accept") }
          == ["application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1, application/json"])
    }
  }

  @Test func `A list of large objects is answered with their metadata`() async throws {
    try await withServer { _, _ in
      .json(
        200,
        [
          "kind": "PartialObjectMetadataList", "metadata": ["resourceVersion": "1"],
          "items": [["metadata": ["name": "a"]]],
        ])
    } _: { client, server in
      let list = try await client.list(.configMaps(in: "shop"), metadataOnly: true)
      #expect(list.items.map(\.name) == ["a"])
      #expect(
        server.requests.map { $0.headers.first(name: "Accept") }
          == ["application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1, application/json"])
    }
  }

  @Test func `A list is selected by labels and by fields`() async throws {
    try await withServer { _, _ in
      .json(200, ["kind": "PodList", "metadata": ["resourceVersion": "1"], "items": []])
    } _: { client, server in
      _ = try await client.list(.pods(in: "shop"), labelSelector: "a=b", fieldSelector: "spec.hostNetwork=true")
      #expect(
        server.requests.map(\.uri) == [
          "/api/v1/namespaces/shop/pods?labelSelector=a%3Db&fieldSelector=spec.hostNetwork%3Dtrue&limit=500"
        ])
    }
  }
}
