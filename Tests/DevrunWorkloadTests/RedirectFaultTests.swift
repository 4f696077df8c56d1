import DevrunConfig
import DevrunCore
import DevrunKube
import DevrunSystem
import FaultProxy
import NIOPosix
import TestCluster
import Testing

@testable import DevrunWorkload

/// The watch over a redirected Deployment in a cluster in memory, behind a proxy that fails.
@Suite("Faults of the watch over a redirected Deployment", .timeLimit(.minutes(1)))
struct RedirectFaultTests {
  private typealias Life = DeploymentLifeTests
  private typealias Events = AsyncStream<RedirectWatch.Event>.Iterator

  /// Watches the Deployment, which session `s1` has redirected, while a body works on it. The Deployment is deleted then.
  private static func watching(_ body: (FakeCluster, FaultProxy, inout Events) async throws -> Void) async throws {
    try await FakeCluster.run { cluster, direct in
      Life.deploy(cluster)
      try await Life.redirect(direct)
      let proxy = try await FaultProxy.start(
        before: ClusterAccess(server: direct.client.server, namespace: "ns", contextName: "test"))
      let client = try KubeClient(
        access: proxy.clientAccess, environment: [:], group: MultiThreadedEventLoopGroup.singleton)
      let opened = try await proxy.inject(.pass, into: .watch("deployments"))
      let (events, news) = AsyncStream.makeStream(of: RedirectWatch.Event.self)
      let watch = RedirectWatch(
        of: "web", in: Namespace("ns", client: client), agent: Life.agent("s1"), session: "s1")
      let watching = Task { try await watch.run { news.yield($0) } }
      var stream = events.makeAsyncIterator()
      let result: Result<Void, any Error>
      do {
        try await opened.hit()
        result = .success(try await body(cluster, proxy, &stream))
      } catch {
        result = .failure(error)
      }
      cluster.delete("deployments/web")
      try await watching.value
      try await client.shutdown()
      try await proxy.stop()
      try result.get()
    }
  }

  /// A colleague's change of the agent's command, which the watch takes back.
  private static func reset(_ cluster: FakeCluster) {
    cluster.change("deployments/web") { deployment in
      var containers = deployment.template.containers
      containers[1].json["command"] = ["run2"]
      deployment.template.containers = containers
    }
  }

  private static func expectAgent(_ cluster: FakeCluster, sourceLocation: SourceLocation = #_sourceLocation) {
    let command = cluster.object("deployments/web")?.template.containers[1].json["command"]?.array?.first
    #expect(command == "/.devrun/loader", sourceLocation: sourceLocation)
  }

  @Test(arguments: [Fault.cut, .expire, .reorder])
  func `A reset is seen though the watch is disturbed`(disturbance: Fault) async throws {
    try await Self.watching { cluster, proxy, stream in
      let disturbed = try await proxy.inject(disturbance, into: .watch("deployments"), .once)
      Self.reset(cluster)
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      Self.expectAgent(cluster)
      #expect(disturbed.hits == 1)
    }
  }

  @Test(arguments: [410, 429, 500])
  func `A reset is seen though the watch is refused when it is opened again`(code: Int) async throws {
    try await Self.watching { cluster, proxy, stream in
      let refused = try await proxy.inject(.answer(code), into: .watch("deployments"), .once)
      try await proxy.inject(.cut, into: .watch("deployments"), .once)
      try await refused.hit()
      Self.reset(cluster)
      var event = await stream.next()
      // Two failures in a row are reported first.
      while case .troubled = event { event = await stream.next() }
      #expect(event == .setAgain(by: "kubectl"))
      Self.expectAgent(cluster)
    }
  }

  @Test func `A reset is seen once the events that were held arrive`() async throws {
    try await Self.watching { cluster, proxy, stream in
      let held = try await proxy.inject(.hold, into: .watch("deployments"))
      Self.reset(cluster)
      try await held.hit()
      #expect(cluster.object("deployments/web")?.template.containers[1].json["command"] == ["run2"])
      held.lift()
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      Self.expectAgent(cluster)
    }
  }

  @Test(arguments: [Fault.answer(401), .answer(403), .answer(409), .answer(500), .cut])
  func `devrun's fields are set again though the write fails at first`(fault: Fault) async throws {
    try await Self.watching { cluster, proxy, stream in
      let failed = try await proxy.inject(fault, into: RequestPattern("PATCH", "deployments/web"), .once)
      Self.reset(cluster)
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      Self.expectAgent(cluster)
      #expect(failed.hits == 1)
    }
  }

  @Test func `A write that sets devrun's fields again and loses its answer is not repeated`() async throws {
    try await Self.watching { cluster, proxy, _ in
      let lost = try await proxy.inject(.loseAnswer, into: RequestPattern("PATCH", "deployments/web"), .once)
      let owners = try await proxy.inject(
        .pass, into: RequestPattern("PATCH", "deployments/web", containing: "managedFields"))
      Self.reset(cluster)
      try await lost.hit()
      Self.expectAgent(cluster)
      // What is left to do after it is done.
      try await owners.hit()
      let templates = cluster.keys("replicasets").count
      #expect(templates == 3, "the team's, devrun's, and the colleague's")
    }
  }
}
