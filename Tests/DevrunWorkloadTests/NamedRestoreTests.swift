import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

/// A role that names one Deployment allows a restore of it.
@Suite("A restore with rights on one Deployment")
struct NamedRestoreTests {
  private typealias Life = DeploymentLifeTests

  @Test func `A Deployment that is named is read by its name, without a list of all`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      cluster.refuse { $0 == "GET deployments" ? .mayNot : nil }
      let restore = DeploymentRestore(of: "web", in: namespace)
      #expect(try await restore.redirected()?.map(\.session) == ["s1"])
      #expect(try await DeploymentRestore(of: "none", in: namespace).redirected() == nil)
      #expect(try await Life.restore(namespace))
      #expect(cluster.object("deployments/web")?.template == AgentTemplateTests.original)
    }
  }

  @Test func `A name that nothing has is reported as such where the kinds may not be listed`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      cluster.refuse { $0 == "GET deployments" ? .mayNot : nil }
      await #expect(
        throws: WorkloadError.targetNotFound("deployment/none", namespace: "ns", candidates: [])
      ) { try await TargetKinds.workload(try TargetReference(parsing: "deployment/none"), in: namespace) }
    }
  }
}
