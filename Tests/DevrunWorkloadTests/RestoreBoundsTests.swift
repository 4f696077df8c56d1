import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

/// What a restore waits for, and for how long.
@Suite("Bounds of a restore", .timeLimit(.minutes(1)))
struct RestoreBoundsTests {
  private typealias Life = DeploymentLifeTests

  @Test func `Work that takes too long is cancelled`() async throws {
    let isDone = try await RestoreUrgency().unlessSkipped(within: .milliseconds(10)) {
      try await Task.sleep(for: .seconds(3600))
    }
    #expect(!isDone)
    #expect(try await RestoreUrgency().unlessSkipped(within: .seconds(3600)) {})
  }

  /// It takes twice the time that a controller has.
  @Test func `A controller that is stopped holds a restore up for a bounded time`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      cluster.stopController()
      #expect(try await Life.restore(namespace))
      #expect(cluster.object("deployments/web")?.template == AgentTemplateTests.original)
      #expect(cluster.object("deployments/web")?.spec["revisionHistoryLimit"] == 10)
      #expect(cluster.keys("configmaps").isEmpty)
    }
  }

  /// No pod of the cluster in memory ever is available, and its controller acts at once: the first look is enough.
  @Test func `A restore does not wait for the app`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      #expect(try await Life.restore(namespace))
      #expect(cluster.watches.isEmpty)
    }
  }

  /// The other restore has stored its record, and goes no further.
  @Test func `A restore that makes no headway elsewhere is awaited for a bounded time, and then finished`() async throws
  {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let record = try #require(cluster.object("deployments/web")?.annotations[OriginalRecord.annotation])
      let owner = try #require(cluster.object("deployments/web")?.ownerReference)
      cluster.change("configmaps/devrun-s1-record") { map in
        map.labels = [SessionMark.key: "s1", DeploymentRestore.recordLabel: "original"]
        map.annotations = [OriginalRecord.annotation: record]
        map.metadata["ownerReferences"] = [owner]
      }
      cluster.change("deployments/web", by: KubeClient.fieldManager) { deployment in
        deployment.template = AgentTemplateTests.original
        deployment.annotations[OriginalRecord.annotation] = nil
      }
      let start = ContinuousClock.now
      try await Life.redirect(namespace, "s2")
      #expect(ContinuousClock.now - start >= DeploymentRedirect.restorePatience)
      #expect(cluster.keys("configmaps").isEmpty)
      let stored = try #require(try OriginalRecord.read(from: cluster.object("deployments/web") ?? [:]))
      #expect(stored.session == "s2")
      #expect(stored.revisionHistoryLimit == 10)
    }
  }

  @Test func `A Deployment that is being deleted needs no restore`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      cluster.change("deployments/web") { $0.metadata["deletionTimestamp"] = "2026-01-01T00:00:00Z" }
      let writes = cluster.writes
      #expect(try await !Life.restore(namespace))
      #expect(cluster.writes == writes)
    }
  }

  @Test func `A Deployment that is deleted in the midst of its restore needs no more of it`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      cluster.refuse { [cluster] request in
        guard request == "POST configmaps/devrun-s1-record" else { return nil }
        cluster.delete("deployments/web")
        return nil
      }
      #expect(try await Life.restore(namespace))
    }
  }
}
