import DevrunCore
import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

@Suite("Upload of the agent")
struct UploadTests {
  @Test func `The answer to an upload does not bring the agent back`() async throws {
    try await FakeCluster.run { cluster, namespace in
      let payload = Payload(loader: [1], pieces: [("agent.gz.0", [2])], architecture: "amd64")
      try await PayloadUpload(in: namespace, session: "s1", holder: "ann@desk").create(payload)
      let asked = cluster.requestsOfMetadata.sorted()
      #expect(asked == ["POST configmaps/devrun-s1-0", "POST configmaps/devrun-s1-loader"])
    }
  }

  @Test func `The Services that select a workload's pods are read with it`() async throws {
    try await FakeCluster.run { cluster, namespace in
      DeploymentLifeTests.deploy(cluster)
      cluster.change("services/web") {
        $0.spec = ["selector": ["app": "web"], "ports": [["port": 80, "targetPort": 8080]]]
      }
      cluster.change("services/other") { $0.spec = ["selector": ["app": "other"], "ports": [["port": 81]]] }
      let workload = try await TargetKinds.workload(try TargetReference(parsing: "deployment/web"), in: namespace)
      #expect(workload.servicePorts == [8080])
      // Both decide about the session's pod, and are not read again for that.
      let surroundings = try await SessionPodSurroundings.read(in: namespace, for: workload)
      #expect(surroundings.selecting.count { $0.selector == PodSelector(labels: ["app": "other"]) } == 1)
      #expect(cluster.requests.filter { $0 == "GET services" }.count == 1)
    }
  }
}
