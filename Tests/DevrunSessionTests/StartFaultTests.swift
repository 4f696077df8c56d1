import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import FaultProxy
import NIOPosix
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunView
@testable import DevrunWorkload

/// A session's own pod is made in a cluster in memory, behind a proxy that fails. No agent ever answers there.
@Suite("Faults while a session's own pod starts", .timeLimit(.minutes(1)))
struct StartFaultTests {
  /// Starts the pod until it waits for the agent, checks what is there, and stops.
  private static func start(
    _ fault: Fault, _ pattern: RequestPattern, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws {
    try await FakeCluster.run { cluster, direct in
      let proxy = try await FaultProxy.start(
        before: ClusterAccess(server: direct.client.server, namespace: "ns", contextName: "test"))
      let client = try KubeClient(
        access: proxy.clientAccess, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let session = SessionInMemory(in: Namespace("ns", client: client), startTimeout: .seconds(3600))
      let opened = try await proxy.inject(.pass, into: .watch("pods"))
      let injection = try await proxy.inject(fault, into: pattern, .once)
      let task = Task { try await PodStartTests.start(session) }
      let result: Result<Void, any Error>
      do {
        try await opened.hit(within: .seconds(20))
        result = .success(())
      } catch {
        result = .failure(error)
      }
      #expect(injection.hits == 1, sourceLocation: sourceLocation)
      #expect(cluster.keys("pods") == ["pods/devrun-s1"], sourceLocation: sourceLocation)
      #expect(
        cluster.keys("configmaps") == ["configmaps/devrun-s1-0", "configmaps/devrun-s1-loader"],
        sourceLocation: sourceLocation)
      task.cancel()
      _ = await task.result
      #expect(await session.context.services.stop() == [], sourceLocation: sourceLocation)
      #expect(cluster.keys("pods") + cluster.keys("configmaps") == [], sourceLocation: sourceLocation)
      try await client.shutdown()
      try await proxy.stop()
      try result.get()
    }
  }

  @Test(arguments: [Fault.answer(500), .answer(401), .cut, .loseAnswer])
  func `A failure that passes does not end the creation of the pod`(fault: Fault) async throws {
    try await Self.start(fault, RequestPattern("POST", "pods"))
  }

  @Test(arguments: [Fault.answer(500), .answer(401), .cut, .loseAnswer])
  func `A failure that passes does not end the upload of the agent`(fault: Fault) async throws {
    try await Self.start(fault, RequestPattern("POST", "configmaps"))
  }

  @Test func `A right that is missing ends the creation of the pod`() async throws {
    try await FakeCluster.run { cluster, namespace in
      cluster.refuse { $0.hasPrefix("POST pods") ? .mayNot : nil }
      let session = SessionInMemory(in: namespace, startTimeout: .seconds(3600))
      let error = await #expect(throws: KubeError.self) { try await PodStartTests.start(session) }
      #expect(error?.isForbidden == true)
      #expect(await session.context.services.stop() == [])
    }
  }
}
