import DevrunKube
import TestCluster
import Testing

@testable import DevrunWorkload

@Suite("Rights that sessions use")
struct RightsTests {
  private static func needed(_ part: Right.Part) -> Set<String> {
    Set(Right.needed(for: part).map { "\($0.description)\($0.isOnDeployment ? " by name" : "")" })
  }

  @Test func `A right on the Deployment alone is asked for by the Deployment's name`() throws {
    let right = try #require(Right.all.first { $0.verb == "patch" && $0.resource == "deployments" })
    #expect(right.path(deployment: "web", in: "ns") == ResourcePath.deployments(in: "ns").named("web"))
    let sets = try #require(Right.all.first { $0.verb == "patch" && $0.resource == "replicasets" })
    #expect(sets.path(deployment: "web", in: "ns") == ResourcePath.replicaSets(in: "ns"))
  }

  @Test func `The right to a subresource is asked for as one`() throws {
    let right = try #require(Right.all.first { $0.resource == "pods/portforward" })
    #expect(right.path(deployment: nil, in: "ns") == ResourcePath.pods(in: "ns").subresource("portforward"))
  }

  /// Watching one object lists it first. The record's ConfigMap is found by its label.
  @Test func `What a swap and its restore send is asked for before the swap`() {
    #expect(
      Self.needed(.replace) == [
        "list pods", "watch pods", "get deployments by name", "list deployments by name", "watch deployments by name",
        "patch deployments by name", "list replicasets", "patch replicasets", "delete replicasets",
        "create configmaps", "list configmaps", "get configmaps", "delete configmaps",
      ])
  }

  @Test func `Whoever may change a workload may put it back`() {
    #expect(Self.needed(.restore).isSubset(of: Self.needed(.replace)))
  }

  @Test func `A session pod needs no right to change anything but its own objects`() {
    #expect(
      Self.needed(.sessionPod) == [
        "list services", "create pods", "delete pods", "list pods", "watch pods", "get pods/portforward",
        "create pods/portforward", "create configmaps", "delete configmaps",
      ])
  }

  @Test func `What a session goes on without is listed too`() {
    let optional = Set(Right.all.filter(\.isOptional).map(\.description))
    #expect(
      optional == [
        "get deployments", "list deployments", "get replicasets", "list replicasets", "list statefulsets",
        "list daemonsets", "list replicationcontrollers", "get pods", "list pods", "delete pods", "get pods/log",
        "get services", "watch services", "list endpoints", "watch endpoints", "list events", "list namespaces",
        "list endpointslices", "watch endpointslices", "get nodes", "list nodes", "watch configmaps",
        "list networkpolicies", "list poddisruptionbudgets", "list limitranges",
        "list persistentvolumeclaims",
      ])
    let nodes = Right.all.first { $0.resource == "nodes" }
    #expect(nodes?.path(deployment: nil, in: "ns") == ResourcePath(version: "v1", resource: "nodes"))
  }

  @Test func `A swap, its restore and a look at the namespace send nothing but what is listed`() async throws {
    let listed = Set(Right.all.map(\.description))
    try await FakeCluster.run { cluster, namespace in
      DeploymentLifeTests.deploy(cluster)
      try await DeploymentLifeTests.redirect(namespace)
      let workload = try await TargetKinds.workload(try TargetReference(parsing: "deployment/web"), in: namespace)
      _ = try await SessionPodSurroundings.read(in: namespace, for: workload)
      _ = try await TargetKinds.candidates(in: namespace)
      _ = try await DeploymentRestore.redirected(in: namespace)
      try await DeploymentLifeTests.restore(namespace)
      let verbs = ["POST": "create", "PATCH": "patch", "DELETE": "delete"]
      let sent = Set(
        cluster.requests.map { request in
          let words = request.split { " /".contains($0) }.map(String.init)
          return "\(verbs[words[0]] ?? (words.count > 2 ? "get" : "list")) \(words[1])"
        })
      #expect(sent.subtracting(listed).isEmpty)
      #expect(
        sent.isSuperset(of: ["list statefulsets", "list networkpolicies", "patch deployments", "get deployments"]))
    }
  }

  @Test func `Each right says what it is used for`() {
    for right in Right.all {
      #expect(!right.why.isEmpty)
      #expect(!right.parts.isEmpty)
    }
  }
}
