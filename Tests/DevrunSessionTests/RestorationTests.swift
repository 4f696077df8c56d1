import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

/// Ann restores, in a cluster in memory. Bob's session `s1` redirects the Deployment `web`, his `s2` redirects `api`.
@Suite("Restore by hand", .timeLimit(.minutes(1)))
struct RestorationTests {
  private struct Silent: Reporter {
    func report(_ event: ReportEvent) {}
  }

  private static func redirecting(_ body: (FakeCluster, Restoration) async throws -> Void) async throws {
    try await FakeCluster.run { cluster, namespace in
      for (name, session) in [("web", "s1"), ("api", "s2")] {
        SessionInMemory.deploy(name, in: cluster)
        let redirect = DeploymentRedirect(
          in: namespace, agent: SessionInMemory.agent(session), holder: "bob@desk", since: "t")
        let object = try await namespace.client.get(namespace.deployments.named(name))
        _ = try await redirect.apply(to: Workload(object: object))
      }
      let restoration = Restoration(
        access: ClusterAccess(server: namespace.client.server, namespace: "ns", contextName: "test"), environment: [:],
        holder: "ann@desk", reporter: RunReporter(terminal: Silent()))
      try await body(cluster, restoration)
    }
  }

  private static func reference(_ name: String) throws -> RestoreReference { try RestoreReference(parsing: name) }

  @Test func `A restore for which a right is missing changes nothing`() async throws {
    try await Self.redirecting { cluster, restoration in
      let writes = cluster.writes
      cluster.refuse { $0 == "may delete replicasets" ? .mayNot : nil }
      let outcome = try await restoration.restore([Self.reference("deployment/web")])
      #expect(outcome.restored.isEmpty)
      #expect(outcome.failures.count == 1)
      #expect(outcome.failures.first?.contains("delete replicasets") == true)
      #expect(cluster.writes == writes)
    }
  }

  @Test func `A Deployment that cannot be restored holds up no other`() async throws {
    try await Self.redirecting { cluster, restoration in
      cluster.refuse { $0 == "PATCH deployments/api" ? .invalid : nil }
      let outcome = try await restoration.restore(nil)
      #expect(outcome.restored == ["deployment/web"])
      #expect(outcome.failures.count == 1)
      #expect(cluster.object("deployments/web")?.template.session == nil)
      #expect(cluster.object("deployments/api")?.template.session == "s2")
    }
  }

  /// The cluster gives no answer about `api`, which comes first by its name.
  @Test func `A Deployment whose restore takes long keeps no other redirected`() async throws {
    try await Self.redirecting { cluster, restoration in
      let (restored, isRestored) = AsyncStream<Void>.makeStream()
      cluster.refuse { request in
        // The record goes last.
        if request == "DELETE configmaps/devrun-s1-record" { isRestored.yield() }
        return request == "PATCH deployments/api" ? .silence : nil
      }
      let restoring = Task { try await restoration.restore(nil) }
      for await _ in restored { break }
      #expect(cluster.object("deployments/web")?.template.session == nil)
      #expect(cluster.object("deployments/api")?.template.session == "s2")
      restoring.cancel()
      _ = await restoring.result
    }
  }

  @Test func `A live session of somebody else ends only if it is named`() async throws {
    try await Self.redirecting { cluster, restoration in
      cluster.change("pods/web-devrun-s1") { pod in
        pod.labels = [SessionMark.key: "s1"]
        pod.annotations = [SessionMark.holder: "bob@desk"]
        pod.json["status"] = ["conditions": [["type": "Ready", "status": "True"]]]
      }
      let outcome = try await restoration.restore(nil)
      #expect(outcome.restored == ["deployment/api"])
      #expect(outcome.leftAlone.count == 1)
      #expect(outcome.leftAlone.first?.hasPrefix("deployment/web") == true)
      #expect(cluster.object("deployments/web")?.template.session == "s1")
      #expect(cluster.keys("pods") == ["pods/web-devrun-s1"])
      let named = try await restoration.restore([Self.reference("deployment/web")])
      #expect(named.restored == ["deployment/web"])
      #expect(cluster.object("deployments/web")?.template.session == nil)
      #expect(cluster.keys("pods").isEmpty)
    }
  }
}
