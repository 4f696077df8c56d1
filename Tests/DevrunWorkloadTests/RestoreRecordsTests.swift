import DevrunCore
import DevrunKube
import Synchronization
import TestCluster
import Testing

@testable import DevrunWorkload

/// Where records are and whose template they are of, from the end of a session on.
@Suite("Records at the end of a session")
struct RestoreRecordsTests {
  private typealias Life = DeploymentLifeTests

  /// The controller copies the Deployment's annotations onto the ReplicaSet of its template.
  @Test func `A record that was copied onto the team's own ReplicaSet is removed`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      let original = try #require(cluster.keys("replicasets").first)
      try await Life.redirect(namespace)
      cluster.change("deployments/web") { $0.template = AgentTemplateTests.original }
      let record = try #require(cluster.object("deployments/web")?.annotations[OriginalRecord.annotation])
      cluster.change(original) { $0.annotations[OriginalRecord.annotation] = record }
      #expect(try await Life.restore(namespace))
      #expect(cluster.object(original)?.annotations[OriginalRecord.annotation] == nil)
      #expect(try await DeploymentRestore.redirected(in: namespace).found.isEmpty)
    }
  }

  /// A record of version 1 has no copy of what devrun wrote.
  @Test func `A colleague's change stays though the record does not say what devrun wrote`() async throws {
    try await FakeCluster.run { cluster, namespace in
      // Names of ReplicaSets get longer with the number of writes: the order of names is not that of age.
      for image in ["1", "2", "3", "4"] { Life.deploy(cluster, image: image) }
      try await Life.redirect(namespace)
      var record = try #require(try OriginalRecord.read(from: cluster.object("deployments/web") ?? [:]))
      record.applied = nil
      let value = try record.annotationValue()
      cluster.change("deployments/web") { $0.annotations[OriginalRecord.annotation] = value }
      for image in ["5", "6", "7"] {
        cluster.change("deployments/web") { $0.template.containers[1].json["image"] = .string(image) }
      }
      #expect(try await Life.restore(namespace))
      #expect(cluster.object("deployments/web")?.template.containers[1].image == "7")
      #expect(cluster.object("deployments/web")?.template.session == nil)
    }
  }

  @Test func `What belongs to another session stays when the first one's remains are put back`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let record = try #require(cluster.object("deployments/web")?.annotations[OriginalRecord.annotation])
      let owner = try #require(cluster.object("deployments/web")?.ownerReference)
      // A restore of the first session was broken off, and a second one began all the same.
      cluster.change("configmaps/devrun-s1-record") { map in
        map.labels = [SessionMark.key: "s1", DeploymentRestore.recordLabel: "original"]
        map.annotations = [OriginalRecord.annotation: record]
        map.metadata["ownerReferences"] = [owner]
      }
      let second = try Life.agent("s2").applied(to: AgentTemplateTests.original)
      let other = record.replacing("\"session\":\"s1\"", with: "\"session\":\"s2\"")
      cluster.change("deployments/web") { deployment in
        deployment.template = second
        deployment.annotations[OriginalRecord.annotation] = other
      }
      await #expect(throws: WorkloadError.self) { try await Life.restore(namespace, "s1") }
      let deployment = try #require(cluster.object("deployments/web"))
      #expect(deployment.template == second)
      #expect(deployment.spec["revisionHistoryLimit"] == .int(DeploymentRedirect.raisedHistoryLimit))
      #expect(try OriginalRecord.read(from: deployment)?.session == "s2")
    }
  }

  /// A write of an earlier session was broken off before the owners of the fields were put back.
  @Test func `An owner of fields that an earlier session left is gone after the next one`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      cluster.change("deployments/web", by: KubeClient.fieldManager) { $0.labels = ["a": "b"] }
      try await Life.redirect(namespace)
      #expect(try await Life.restore(namespace))
      let deployment = try #require(cluster.object("deployments/web"))
      #expect(!ManagedFields.haveDevrun(deployment.managedFields))
      #expect(deployment.managedFields?.array?.contains { $0["manager"] == "kubectl" } == true)
    }
  }

  @Test func `Where no ConfigMap may be made, the Deployment has the record until the agents are gone`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let hadRecord = Mutex<[Bool]>([])
      cluster.refuse { [cluster] request in
        if request.hasPrefix("DELETE replicasets/") {
          let record = cluster.object("deployments/web")?.annotations[OriginalRecord.annotation]
          hadRecord.withLock { $0.append(record != nil) }
        }
        return request.hasPrefix("POST configmaps") ? .forbidden : nil
      }
      #expect(try await Life.restore(namespace))
      #expect(hadRecord.withLock { $0 } == [true])
      #expect(cluster.object("deployments/web")?.annotations[OriginalRecord.annotation] == nil)
    }
  }

  @Test func `Nothing is put back in a namespace that is being deleted`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let swap = cluster.writes.count
      cluster.refuse { $0.hasPrefix("POST configmaps") ? .namespaceEnds : nil }
      #expect(try await Life.restore(namespace))
      #expect(cluster.writes.dropFirst(swap) == ["POST configmaps/devrun-s1-record"])
    }
  }

  @Test func `Whoever meets another session reads how to end that one alone, on this cluster`() {
    let restore = RestoreCommandLine(namespace: "ns", context: "staging")
    let error = WorkloadError.alreadyRedirected("web", by: "bob@desk", since: "t", restore: restore)
    #expect(error.message.remedy?.contains("devrun restore -n ns --context staging deployment/web") == true)
  }
}
