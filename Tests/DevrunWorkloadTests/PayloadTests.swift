import DevrunCore
import DevrunKube
import TestCluster
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import Testing

@testable import DevrunWorkload

@Suite("The agent's ConfigMaps", .timeLimit(.minutes(1)))
struct PayloadTests {
  private static let payload = Payload(
    loader: [1], pieces: [("agent.gz.0", [2]), ("agent.gz.1", [3])], architecture: "amd64")
  private static let all = ["configmaps/devrun-s1-0", "configmaps/devrun-s1-1", "configmaps/devrun-s1-loader"]

  private static func delivery(in namespace: Namespace) -> PayloadDelivery {
    PayloadDelivery(of: payload, by: PayloadUpload(in: namespace, session: "s1", holder: "ann@desk"))
  }

  /// What the server makes of a request that was broken off.
  private static func carryOut(_ name: String, on cluster: FakeCluster) {
    cluster.change("configmaps/\(name)") { $0.labels = [SessionMark.key: "s1"] }
  }

  @Test func `Each ConfigMap carries who holds the session`() async throws {
    try await FakeCluster.run { cluster, namespace in
      try await Self.delivery(in: namespace).begin()
      #expect(cluster.keys("configmaps") == Self.all)
      for key in Self.all { #expect(cluster.object(key)?.annotations == [SessionMark.holder: "ann@desk"]) }
    }
  }

  @Test func `ConfigMaps that are gone are uploaded again, and no others`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let delivery = Self.delivery(in: namespace)
      try await delivery.begin()
      cluster.delete("configmaps/devrun-s1-1")
      try await delivery.restore()
      try await delivery.restore()
      #expect(cluster.keys("configmaps") == Self.all)
      #expect(cluster.writes.count == 4)
      #expect(cluster.writes.last == "POST configmaps/devrun-s1-1")
      try await delivery.end()
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }

  @Test func `Without the right to list ConfigMaps those that are there stay as they are`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let delivery = Self.delivery(in: namespace)
      try await delivery.begin()
      let uid = cluster.object("configmaps/devrun-s1-0")?.uid
      cluster.delete("configmaps/devrun-s1-1")
      cluster.refuse { $0 == "GET configmaps" ? .forbidden : nil }
      try await delivery.restore()
      #expect(cluster.keys("configmaps") == Self.all)
      #expect(cluster.object("configmaps/devrun-s1-0")?.uid == uid)
    }
  }

  @Test func `What the server still makes of an upload that was broken off is deleted, and the record stays`()
    async throws
  {
    try await FakeCluster.run { cluster, namespace in
      let looks = Mutex(0)
      cluster.change("configmaps/devrun-s1-record") {
        $0.labels = [SessionMark.key: "s1", SessionMark.record: "original"]
      }
      cluster.refuse { request in
        if request.hasPrefix("POST") { return request == "POST configmaps/devrun-s1-1" ? .forbidden : .silence }
        guard request == "GET configmaps" else { return nil }
        let look = looks.withLock { looks in
          looks += 1
          return looks
        }
        // After a look that found nothing.
        if look == 2 { Self.carryOut("devrun-s1-0", on: cluster) }
        return nil
      }
      let delivery = Self.delivery(in: namespace)
      await #expect(throws: KubeError.self) { try await delivery.begin() }
      try await delivery.end()
      #expect(cluster.keys("configmaps") == ["configmaps/devrun-s1-record"])
      #expect(looks.withLock { $0 } == 4)
    }
  }

  @Test func `After an upload that had all its answers the ConfigMaps are deleted without a look`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let delivery = Self.delivery(in: namespace)
      try await delivery.begin()
      cluster.refuse { $0 == "GET configmaps" ? .notFound : nil }
      try await delivery.end()
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }

  @Test func `The wait for what the server still makes has an end`() async throws {
    try await FakeCluster.run { cluster, namespace in
      cluster.refuse { request in
        if request == "GET configmaps" { Self.carryOut("devrun-s1-0", on: cluster) }
        return nil
      }
      try await PayloadUpload(in: namespace, session: "s1").clear(
        ["devrun-s1-0"], for: .milliseconds(50), every: .milliseconds(1))
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }

  @Test func `The first failure ends an upload though other requests have no answer yet`() async throws {
    try await FakeCluster.run { cluster, namespace in
      cluster.refuse { request in
        switch request {
        case "POST configmaps/devrun-s1-loader": .forbidden
        case "POST configmaps/devrun-s1-0", "POST configmaps/devrun-s1-1": .silence
        default: nil
        }
      }
      let delivery = Self.delivery(in: namespace)
      let error = await #expect(throws: KubeError.self) { try await delivery.begin() }
      #expect(error?.isForbidden == true)
    }
  }

  @Test func `Cancellation breaks an upload off`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let (requests, asked) = AsyncStream<Void>.makeStream()
      cluster.refuse { request in
        guard request.hasPrefix("POST") else { return nil }
        asked.yield()
        return .silence
      }
      let delivery = Self.delivery(in: namespace)
      let upload = Task { try await delivery.begin() }
      for await _ in requests { break }
      upload.cancel()
      await #expect(throws: CancellationError.self) { try await upload.value }
      Self.carryOut("devrun-s1-0", on: cluster)
      try await delivery.end()
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }

  @Test func `A pod on an image carries who holds the session`() async throws {
    try await FakeCluster.run { _, namespace in
      let agent = AgentTemplate(
        session: "s1", container: OwnPods.container,
        payload: PayloadUpload(in: namespace, session: "s1").names(of: Self.payload),
        access: AgentPorts(control: 1, probe: 2, ready: 3), secretDigest: "d", ports: [])
      let pod = try OwnPods(in: namespace).pod(
        named: "devrun-s1", on: OwnPods.Carrier(image: "i"), ports: [], agent: agent, holder: "ann@desk")
      #expect(pod.annotations == [SessionMark.key: "s1", SessionMark.holder: "ann@desk"])
    }
  }
}
