import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

/// Swap, watch and restore against an API server in memory.
@Suite("A Deployment's change and restore")
struct DeploymentLifeTests {
  static func agent(_ session: String) -> AgentTemplate {
    var agent = AgentTemplateTests.agent
    agent.session = session
    agent.payload.loader = "devrun-\(session)-loader"
    agent.payload.pieces = ["devrun-\(session)-0"]
    return agent
  }

  static func deploy(_ cluster: FakeCluster, image: String = "a") {
    cluster.change("deployments/web") { deployment in
      var template = AgentTemplateTests.original
      template.containers[1].json["image"] = .string(image)
      deployment.spec = ["revisionHistoryLimit": 10, "selector": ["matchLabels": ["app": "web"]]]
      deployment.template = template
    }
  }

  static func redirect(_ namespace: Namespace, _ session: String = "s1") async throws {
    let redirect = DeploymentRedirect(in: namespace, agent: agent(session), holder: "me@\(session)", since: "t")
    let workload = Workload(object: try await namespace.client.get(namespace.deployments.named("web")))
    try await redirect.checkNobodyElse(of: workload)
    _ = try await redirect.apply(to: workload)
  }

  @discardableResult
  static func restore(_ namespace: Namespace, _ session: String? = nil) async throws -> Bool {
    try await DeploymentRestore(of: "web", in: namespace).run(session: session)
  }

  /// All but what every write changes.
  private static func essence(_ object: KubeObject?) -> KubeObject? {
    var object = object
    object?.metadata["resourceVersion"] = nil
    object?.metadata["generation"] = nil
    object?.json["status"] = nil
    return object
  }

  @Test func `A restored Deployment and its ReplicaSets are what they were`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster, image: "old")
      Self.deploy(cluster)
      let sets = cluster.keys("replicasets")
      let before = (["deployments/web"] + sets).map { Self.essence(cluster.object($0)) }
      try await Self.redirect(namespace)
      let redirected = try #require(cluster.object("deployments/web"))
      #expect(redirected.template.session == "s1")
      #expect(!ManagedFields.haveDevrun(redirected.managedFields))
      #expect(try await Self.restore(namespace, "s1"))
      #expect((["deployments/web"] + sets).map { Self.essence(cluster.object($0)) } == before)
      #expect(cluster.keys("replicasets") == sets)
      #expect(cluster.keys("configmaps").isEmpty)
      #expect(try await !Self.restore(namespace))
    }
  }

  @Test func `The record is stored before the template is restored and deleted last`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      let swap = cluster.writes.count
      try await Self.restore(namespace)
      let writes = cluster.writes.dropFirst(swap)
      #expect(writes.first == "POST configmaps/devrun-s1-record")
      #expect(writes.dropFirst().first == "PATCH deployments/web")
      #expect(writes.dropFirst(2).first?.hasPrefix("DELETE replicasets/") == true)
      #expect(writes.last == "DELETE configmaps/devrun-s1-record")
    }
  }

  @Test func `What a colleague deployed in mid-session stays, with the next revision`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      for image in ["a:2", "a:3"] {
        cluster.change("deployments/web") { $0.template.containers[1].json["image"] = .string(image) }
      }
      try await Self.restore(namespace)
      var expected = AgentTemplateTests.original
      expected.containers[1].json["image"] = "a:3"
      let deployment = try #require(cluster.object("deployments/web"))
      #expect(deployment.template == expected)
      #expect(deployment.annotations[DeploymentRedirect.revision] == "2")
      #expect(cluster.keys("replicasets").count == 2)
    }
  }

  @Test func `A restore does not wait for a controller that is stopped once waits are skipped`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      cluster.stopController()
      let urgency = RestoreUrgency()
      urgency.skipWaits()
      let restore = DeploymentRestore(of: "web", in: namespace)
      #expect(try await restore.run(urgency: urgency))
      #expect(cluster.object("deployments/web")?.template == AgentTemplateTests.original)
      #expect(cluster.object("deployments/web")?.spec["revisionHistoryLimit"] == 10)
    }
  }

  /// A quota counts ConfigMaps, and the agent's are still there.
  @Test func `A quota on ConfigMaps makes the agent's go first`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      for name in ["loader", "0"] {
        cluster.change("configmaps/devrun-s1-\(name)") { $0.labels = [SessionMark.key: "s1"] }
      }
      try await Self.redirect(namespace)
      cluster.refuse { [cluster] in
        $0.hasPrefix("POST configmaps") && cluster.hasPayload ? .forbidden : nil
      }
      #expect(try await Self.restore(namespace))
      #expect(cluster.writes.contains("DELETE configmaps/devrun-s1-record"))
      #expect(cluster.object("deployments/web")?.template == AgentTemplateTests.original)
    }
  }

  @Test func `A Deployment is restored where no ConfigMap may be made at all`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      let before = Self.essence(cluster.object("deployments/web"))
      try await Self.redirect(namespace)
      cluster.refuse { $0.hasPrefix("POST configmaps") ? .forbidden : nil }
      #expect(try await Self.restore(namespace))
      #expect(Self.essence(cluster.object("deployments/web")) == before)
      for key in cluster.keys("replicasets") {
        #expect(cluster.object(key)?.annotations[OriginalRecord.annotation] == nil)
      }
    }
  }

  @Test func `A conflict about a quota is no record that exists`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      cluster.refuse { [cluster] request in
        let isFirst = cluster.writes.filter { $0.hasPrefix("POST configmaps") }.count == 0
        return request.hasPrefix("POST configmaps") && isFirst ? .conflict : nil
      }
      try await Self.restore(namespace)
      #expect(cluster.writes.filter { $0.hasPrefix("POST configmaps") }.count == 2)
    }
  }

  @Test func `A namespace or a Deployment that is gone needs no restore`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      cluster.refuse { $0.hasPrefix("POST configmaps") ? .namespaceEnds : nil }
      #expect(try await Self.restore(namespace))
      cluster.refuse { _ in nil }
      cluster.delete("deployments/web")
      #expect(try await !Self.restore(namespace))
      // Another one of this name, beside the ReplicaSets of the old one.
      Self.deploy(cluster)
      let writes = cluster.writes
      #expect(try await !Self.restore(namespace))
      #expect(cluster.writes == writes)
    }
  }

  @Test func `A second session is refused while the first one lives`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      try await Self.redirect(namespace)
      let before = cluster.object("deployments/web")
      await #expect(
        throws: WorkloadError.alreadyRedirected(
          "web", by: "me@s1", since: "t", restore: RestoreCommandLine(namespace: "ns"))
      ) { try await Self.redirect(namespace, "s2") }
      #expect(cluster.object("deployments/web") == before)
    }
  }

  @Test func `A second session finishes a restore that was broken off`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Self.deploy(cluster)
      let before = Self.essence(cluster.object("deployments/web"))
      try await Self.redirect(namespace)
      cluster.change("deployments/web", by: KubeClient.fieldManager) { deployment in
        deployment.template = AgentTemplateTests.original
        deployment.annotations[OriginalRecord.annotation] = nil
      }
      try await Self.redirect(namespace, "s2")
      let record = try #require(try OriginalRecord.read(from: cluster.object("deployments/web") ?? [:]))
      #expect(record.session == "s2")
      #expect(record.revisionHistoryLimit == 10)
      #expect(!ManagedFields.haveDevrun(record.managedFields))
      #expect(record.replicaSet?.annotations?[DeploymentRedirect.revision] == "1")
      try await Self.restore(namespace)
      #expect(Self.essence(cluster.object("deployments/web")) == before)
    }
  }
}

extension FakeCluster {
  fileprivate var hasPayload: Bool { object("configmaps/devrun-s1-loader") != nil }
}
