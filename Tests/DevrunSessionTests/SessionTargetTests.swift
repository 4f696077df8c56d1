import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunPlan
import DevrunWorkload
import TestCluster
import Testing

@testable import DevrunSession

@Suite("Target of a session", .timeLimit(.minutes(1)))
struct SessionTargetTests {
  /// Finds the Deployment `web`.
  ///
  /// - Returns: the target, and what is reported.
  private static func find(
    in namespace: Namespace, ports: [PortMapping] = []
  ) async throws -> (SessionTarget, [String]) {
    let session = SessionInMemory(in: namespace, startTimeout: .seconds(1))
    let options = SessionOptions(
      target: .existing(try TargetReference(parsing: "deployment/web")), container: nil, ports: ports,
      localEnv: LocalEnvFile(merging: []), variables: [])
    return (try await SessionTarget.find(options, in: session.context), session.journal.all)
  }

  @Test(
    arguments: [
      "may create pods/portforward", "may delete pods", "may patch deployments/web", "may list deployments/web",
      "may delete replicasets", "may list configmaps",
    ])
  func `A right that the session would lack later is missed before anything is written`(right: String) async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.refuse { $0 == right ? .mayNot : nil }
      let error = await #expect(throws: WorkloadError.self) { _ = try await Self.find(in: namespace) }
      guard case .missingRights(let rights, "ns") = error else {
        Issue.record("the error is \(String(describing: error))")
        return
      }
      #expect(rights.map { "may \($0)" } == [right])
      #expect(cluster.writes.isEmpty)
    }
  }

  @Test func `Who would revert the redirection is named before anything is written`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.change("deployments/web", by: "argocd-controller") { $0.labels = ["app.kubernetes.io/instance": "shop"] }
      let (_, reports) = try await Self.find(in: namespace)
      #expect(reports == ["warning: Argo CD manages this workload and may revert the redirection"])
    }
  }

  @Test func `A container without ports is redirected by the ports of the Services that lead to it`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.change("deployments/web") { $0.template.containers[0].json["ports"] = nil }
      cluster.change("services/web") {
        $0.spec = ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]]
      }
      let (target, reports) = try await Self.find(in: namespace)
      #expect(target.choice.ports == [PortMapping(remote: 8080, local: 8080)])
      #expect(reports.isEmpty)
    }
  }

  @Test func `Whoever names a container without any port reads when it is replaced`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.change("deployments/web") { $0.template.containers[0].json["ports"] = nil }
      let (target, reports) = try await Self.find(in: namespace)
      #expect(target.choice.ports.isEmpty)
      #expect(reports.count == 1)
      #expect(reports.first?.contains("is replaced before the command starts") == true)
    }
  }
}
