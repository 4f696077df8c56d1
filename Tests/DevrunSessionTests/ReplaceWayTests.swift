import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunPlan
import TestCluster
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

/// The way in is set up in a cluster in memory, in which no agent ever answers.
@Suite("The way in while it is set up", .timeLimit(.minutes(1)))
struct ReplaceWayTests {
  /// The way in to the Deployment `web`.
  static func way(_ session: SessionInMemory) async throws -> ReplaceWay {
    let namespace = session.context.namespace
    let object = try await namespace.client.get(namespace.deployments.named("web"))
    return ReplaceWay(
      context: session.context, workload: Workload(object: object),
      choice: ContainerChoice(name: "app", ports: [PortMapping(remote: 80, local: 8080)]), takeOver: .now,
      payload: SessionInMemory.agent("s1").payload, diagnosis: session.collector, replaced: ReplacedPods())
  }

  /// Sets the way in up until something is reported, and breaks that off then.
  ///
  /// - Returns: whether it was reported.
  private static func begin(_ session: SessionInMemory, until text: String) async throws -> Bool {
    let way = try await way(session)
    let task = Task {
      defer { session.journal.finish() }
      try await way.begin()
    }
    var isReported = false
    for await line in session.journal.news where line == text {
      isReported = true
      break
    }
    task.cancel()
    _ = await task.result
    return isReported
  }

  private static func expectRestored(_ cluster: FakeCluster, _ session: SessionInMemory) async {
    #expect(await session.context.services.stop() == [])
    #expect(cluster.object("deployments/web")?.template.session == nil)
    #expect(cluster.object("deployments/web")?.spec["revisionHistoryLimit"] == 10)
    #expect(cluster.keys("configmaps").isEmpty)
  }

  @Test func `A quota that refuses pods is what the start waits for, and does not end it`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.change("deployments/web") {
        $0.json["status"] = ["conditions": [["type": "ReplicaFailure", "status": "True", "message": "exceeded quota"]]]
      }
      let session = SessionInMemory(in: namespace, startTimeout: .seconds(3600))
      let isReported = try await Self.begin(session, until: "waiting for deployment/web: exceeded quota")
      #expect(isReported)
      await Self.expectRestored(cluster, session)
    }
  }

  @Test func `One pod that the kubelet rejects does not end the start`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      cluster.change("pods/web-1") { pod in
        pod.labels = ["app": "web"]
        pod.annotations = [SessionMark.key: "s1"]
        pod.json["status"] = ["phase": "Failed", "reason": "OutOfcpu"]
      }
      let session = SessionInMemory(in: namespace, startTimeout: .seconds(3600))
      let isReported = try await Self.begin(session, until: "waiting for deployment/web: OutOfcpu")
      #expect(isReported)
      await Self.expectRestored(cluster, session)
    }
  }

  @Test func `A start whose redirection is taken away ends with these words`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      let original = try #require(cluster.object("deployments/web")).template
      let session = SessionInMemory(in: namespace, startTimeout: .seconds(3600))
      let way = try await Self.way(session)
      let controller = Task {
        for try await event in namespace.client.watch(object: namespace.deployments.named("web")) {
          guard case .modified(let deployment) = event, deployment.template.session != nil else { continue }
          return cluster.change("deployments/web", by: "argocd-controller") { $0.template = original }
        }
      }
      let error = await #expect(throws: SessionError.self) { try await way.begin() }
      try await controller.value
      guard case .trafficLost("deployment/web", _) = error else {
        Issue.record("the error is \(String(describing: error))")
        return
      }
      await Self.expectRestored(cluster, session)
    }
  }

  @Test func `A restore is tried again when the API server was away at the end of the session`() async throws {
    try await FakeCluster.run { cluster, namespace in
      SessionInMemory.deploy(in: cluster)
      let session = SessionInMemory(in: namespace, startTimeout: .milliseconds(200))
      let way = try await Self.way(session)
      await #expect(throws: SessionError.self) { try await way.begin() }
      cluster.refuse(SessionInMemory.refuseOnce("POST configmaps", with: .unavailable))
      await Self.expectRestored(cluster, session)
    }
  }
}
