import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunView
@testable import DevrunWorkload

/// The session's pod is made in a cluster in memory, in which no agent ever answers.
@Suite("Start of a session's own pod", .timeLimit(.minutes(1)))
struct PodStartTests {
  /// Starts the pod, and waits for the agent.
  static func start(_ session: SessionInMemory) async throws {
    let start = PodStart(
      context: session.context, payload: Payload(loader: [1], pieces: [("agent.gz.0", [2])], architecture: "amd64"),
      diagnosis: session.collector, localEnv: LocalEnvFile(merging: []), receives: false)
    let target = SessionTarget.none(OwnPods.Carrier(image: "i"), ContainerChoice(name: OwnPods.container, ports: []))
    let watch = ServiceWatch(from: session.context.namespace, others: [])
    _ = try await start.start(target, services: SeenServices(watch: watch))
  }

  @Test func `The agent's ConfigMaps stay if the pod that needs them could not be deleted`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let session = SessionInMemory(in: namespace, startTimeout: .milliseconds(200))
      await #expect(throws: SessionError.self) { try await Self.start(session) }
      cluster.refuse { $0.hasPrefix("DELETE pods") ? .forbidden : nil }
      #expect(await session.context.services.stop().count == 1)
      #expect(cluster.keys("configmaps") == ["configmaps/devrun-s1-0", "configmaps/devrun-s1-loader"])
    }
  }

  @Test func `What is left of the start is deleted though the API server was away for a moment`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let session = SessionInMemory(in: namespace, startTimeout: .milliseconds(200))
      await #expect(throws: SessionError.self) { try await Self.start(session) }
      #expect(cluster.keys("pods") == ["pods/devrun-s1"])
      cluster.refuse(SessionInMemory.refuseOnce("DELETE", with: .unavailable, 2))
      #expect(await session.context.services.stop() == [])
      #expect(cluster.keys("pods").isEmpty)
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }
}
