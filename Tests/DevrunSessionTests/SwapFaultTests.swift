import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunPlan
import DevrunSystem
import FaultProxy
import NIOPosix
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

/// The way in is set up and taken away in a cluster in memory, behind a proxy that fails. No agent ever answers there.
@Suite("Faults while the way in is set up and taken away", .timeLimit(.minutes(1)))
struct SwapFaultTests {
  /// The patch that puts the agent in the container's place: it alone raises the limit of the history.
  private static let swap = RequestPattern("PATCH", "deployments/web", containing: "2147483647")
  /// The patch that takes it away: it alone removes something, the record.
  private static let restore = RequestPattern("PATCH", "deployments/web", containing: "\"remove\"")

  /// Sets the way in up, with a fault, until the agent's pods are waited for; then takes it away.
  ///
  /// - Returns: the error that ended the start before that; `nil` if there was none.
  private static func begin(
    _ fault: Fault, _ pattern: RequestPattern, sourceLocation: SourceLocation = #_sourceLocation
  ) async throws -> (any Error)? {
    var ended: (any Error)?
    try await FakeCluster.run { cluster, direct in
      SessionInMemory.deploy(in: cluster)
      let proxy = try await FaultProxy.start(
        before: ClusterAccess(server: direct.client.server, namespace: "ns", contextName: "test"))
      let client = try KubeClient(
        access: proxy.clientAccess, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let session = SessionInMemory(in: Namespace("ns", client: client), startTimeout: .seconds(3600))
      let waits = try await proxy.inject(.pass, into: .watch("pods"))
      let injection = try await proxy.inject(fault, into: pattern, .once)
      let way = try await ReplaceWayTests.way(session)
      let task = Task { try await way.begin() }
      let begun = Task {
        try await waits.hit(within: .seconds(20))
        #expect(cluster.object("deployments/web")?.template.session == "s1", sourceLocation: sourceLocation)
        // The owners are put back also if the swap's own answer was lost.
        for try await event in direct.client.watch(object: direct.deployments.named("web")) {
          switch event {
          case .snapshot(let deployments) where deployments.contains(where: Self.isDevruns): continue
          case .modified(let deployment) where Self.isDevruns(deployment): continue
          default: break
          }
          break
        }
        task.cancel()
      }
      do { try await task.value } catch is CancellationError {} catch { ended = error }
      begun.cancel()
      _ = await begun.result
      #expect(await session.context.services.stop() == [], sourceLocation: sourceLocation)
      #expect(injection.hits == 1, sourceLocation: sourceLocation)
      #expect(cluster.object("deployments/web")?.template.session == nil, sourceLocation: sourceLocation)
      #expect(cluster.object("deployments/web")?.spec["revisionHistoryLimit"] == 10, sourceLocation: sourceLocation)
      #expect(cluster.keys("configmaps").isEmpty, sourceLocation: sourceLocation)
      try await client.shutdown()
      try await proxy.stop()
    }
    return ended
  }

  private static func isDevruns(_ deployment: KubeObject) -> Bool {
    ManagedFields.haveDevrun(deployment.managedFields)
  }

  @Test(arguments: [Fault.answer(401), .answer(403), .answer(409), .answer(500), .cut, .loseAnswer])
  func `A failure that passes does not end the swap`(fault: Fault) async throws {
    let error = try await Self.begin(fault, Self.swap)
    #expect(error == nil)
  }

  @Test func `A swap that is not valid ends the start`() async throws {
    let error = try await Self.begin(.answer(422), Self.swap)
    #expect((error as? KubeError)?.status?.code == 422)
  }

  @Test(arguments: [Fault.answer(401), .answer(403), .answer(409), .answer(500), .cut, .loseAnswer])
  func `A failure that passes does not end the restore`(fault: Fault) async throws {
    let error = try await Self.begin(fault, Self.restore)
    #expect(error == nil)
  }
}
