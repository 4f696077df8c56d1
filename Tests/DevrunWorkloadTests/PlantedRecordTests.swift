import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

/// Whoever may annotate a Deployment can write a record. A restore by somebody else must do nothing for them.
@Suite("Records that devrun did not write")
struct PlantedRecordTests {
  private typealias Life = DeploymentLifeTests

  @Test func `A new session does not finish what nothing but a record shows, and is refused`() async throws {
    let record = try OriginalRecord(
      session: "s0", holder: "eve@desk", since: "t", container: "app", template: AgentTemplateTests.original,
      applied: AgentTemplateTests.original, hadAnnotations: false, configMaps: ["app-config"]
    ).annotationValue()
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      cluster.change("configmaps/app-config") { _ in }
      cluster.change("deployments/web") { $0.annotations[OriginalRecord.annotation] = record }
      await #expect(
        throws: WorkloadError.alreadyRedirected(
          "web", by: "eve@desk", since: "t", restore: RestoreCommandLine(namespace: "ns"))
      ) { try await Life.redirect(namespace) }
      #expect(cluster.writes.isEmpty)
    }
  }

  @Test func `A restore deletes no ConfigMap but the session's own, by name and label`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let own = ["devrun-s1-loader", "devrun-s1-0"]
      let others = ["app-config", "devrun-s1-notes", "devrun-s2-loader"]
      for name in own { cluster.change("configmaps/\(name)") { $0.labels = [SessionMark.key: "s1"] } }
      // One has the label without the name, one the name without the label, and one is another session's.
      cluster.change("configmaps/app-config") { $0.labels = [SessionMark.key: "s1"] }
      cluster.change("configmaps/devrun-s1-notes") { _ in }
      cluster.change("configmaps/devrun-s2-loader") { $0.labels = [SessionMark.key: "s2"] }
      var record = try #require(try OriginalRecord.read(from: cluster.object("deployments/web") ?? [:]))
      record.configMaps = own + others
      let value = try record.annotationValue()
      cluster.change("deployments/web") { $0.annotations[OriginalRecord.annotation] = value }
      #expect(try await Life.restore(namespace))
      #expect(cluster.keys("configmaps") == others.map { "configmaps/\($0)" })
    }
  }

  @Test func `Somebody else's ConfigMap of the record's name is not taken for the record`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      cluster.change("configmaps/devrun-s1-record") { _ in }
      let swap = cluster.writes.count
      #expect(try await Life.restore(namespace))
      // The record stays on the Deployment until the agents are gone.
      let writes = cluster.writes.dropFirst(swap)
      let agents = try #require(writes.firstIndex { $0.hasPrefix("DELETE replicasets/") })
      #expect(writes.suffix(from: agents).contains("PATCH deployments/web"))
      #expect(cluster.object("deployments/web")?.template == AgentTemplateTests.original)
      #expect(cluster.object("deployments/web")?.annotations[OriginalRecord.annotation] == nil)
      #expect(cluster.keys("configmaps") == ["configmaps/devrun-s1-record"])
    }
  }
}
