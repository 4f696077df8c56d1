import DevrunCore
import DevrunKube
import Synchronization
import TestCluster
import Testing

@testable import DevrunWorkload

@Suite("The watch over a redirected Deployment", .timeLimit(.minutes(1)))
struct RedirectWatchTests {
  private typealias Life = DeploymentLifeTests

  /// Watches the Deployment, which session `s1` has redirected, while a body works on it.
  private static func watching(
    _ body: (FakeCluster, Namespace, inout AsyncStream<RedirectWatch.Event>.Iterator) async throws -> Void
  ) async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let (events, news) = AsyncStream.makeStream(of: RedirectWatch.Event.self)
      let watch = RedirectWatch(of: "web", in: namespace, agent: Life.agent("s1"), session: "s1")
      async let end: Void = watch.run { news.yield($0) }
      var stream = events.makeAsyncIterator()
      try await body(cluster, namespace, &stream)
      try await end
    }
  }

  /// A colleague's change of the agent's command, which the watch takes back.
  @Sendable private static func resetCommand(_ deployment: inout KubeObject) {
    var containers = deployment.template.containers
    containers[1].json["command"] = ["run2"]
    deployment.template.containers = containers
  }

  @Test func `The watch sets devrun's fields again, keeps a new image, and reports the undo`() async throws {
    try await Self.watching { cluster, _, stream in
      cluster.change("deployments/web") { deployment in
        Self.resetCommand(&deployment)
        deployment.template.containers[1].json["image"] = "a:2"
        deployment.spec["paused"] = true
      }
      #expect(await stream.next() == .paused)
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      let again = try #require(cluster.object("deployments/web"))
      #expect(again.template.containers[1].json["command"]?.array?.first == "/.devrun/loader")
      #expect(again.template.containers[1].image == "a:2")
      cluster.change("deployments/web") { $0.template = AgentTemplateTests.original }
      #expect(await stream.next() == .removed(by: "kubectl"))
    }
  }

  @Test func `The watch reports a Deployment that was deleted`() async throws {
    try await Self.watching { cluster, _, stream in
      cluster.delete("deployments/web")
      #expect(await stream.next() == .deleted)
    }
  }

  @Test func `A watch that is refused is opened again`() async throws {
    try await FakeCluster.run { cluster, namespace in
      Life.deploy(cluster)
      try await Life.redirect(namespace)
      let refusals = Mutex(0)
      cluster.refuse { request in
        guard request == "GET deployments" else { return nil }
        return refusals.withLock { refusals in
          refusals += 1
          return refusals <= 2 ? .mayNot : nil
        }
      }
      let (events, news) = AsyncStream.makeStream(of: RedirectWatch.Event.self)
      let watch = RedirectWatch(of: "web", in: namespace, agent: Life.agent("s1"), session: "s1")
      let watching = Task {
        defer { news.finish() }
        try await watch.run { news.yield($0) }
      }
      var stream = events.makeAsyncIterator()
      guard case .troubled = await stream.next() else {
        Issue.record("the refusal is not reported")
        return
      }
      cluster.change("deployments/web") { Self.resetCommand(&$0) }
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      cluster.delete("deployments/web")
      #expect(await stream.next() == .deleted)
      try await watching.value
    }
  }

  @Test func `The watch reports why it cannot set devrun's fields again, and sets them once it can`() async throws {
    try await Self.watching { cluster, _, stream in
      cluster.refuse { $0 == "PATCH deployments/web" ? .mayNot : nil }
      cluster.change("deployments/web") { Self.resetCommand(&$0) }
      guard case .troubled(let why) = await stream.next() else {
        Issue.record("nothing is reported")
        cluster.delete("deployments/web")
        return
      }
      #expect(why.contains("cannot patch resource"), "\(why)")
      cluster.refuse { _ in nil }
      #expect(await stream.next() == .setAgain(by: "kubectl"))
      cluster.delete("deployments/web")
      #expect(await stream.next() == .deleted)
    }
  }

  @Test(arguments: [FakeStatus.invalid, .forbidden])
  func `The watch ends when the cluster will never take devrun's fields`(refusal: FakeStatus) async throws {
    try await Self.watching { cluster, _, stream in
      cluster.refuse { $0 == "PATCH deployments/web" ? refusal : nil }
      cluster.change("deployments/web") { Self.resetCommand(&$0) }
      guard case .troubled = await stream.next() else {
        Issue.record("nothing is reported")
        cluster.delete("deployments/web")
        return
      }
      #expect(await stream.next() == .removed(by: "kubectl"))
      cluster.delete("deployments/web")
    }
  }

  @Test func `The watch names devrun's own restore, not the team's last writer`() async throws {
    try await Self.watching { cluster, namespace, stream in
      cluster.change("deployments/web") { $0.template.containers[1].json["image"] = "a:2" }
      let isRestored = try await Life.restore(namespace)
      #expect(isRestored)
      #expect(await stream.next() == .removed(by: "devrun restore"))
    }
  }

  @Test func `What fails is reported at the second failure of one kind, once`() {
    func status(_ code: Int, _ words: String) -> KubeError {
      .status(APIStatus(code: code, message: words), request: "patch", context: "c")
    }
    var failures = RepeatedFailure()
    #expect(failures.failed(status(403, "a")) == nil)
    #expect(failures.failed(status(500, "b")) == nil)
    #expect(failures.failed(status(503, "c"))?.contains("c") == true)
    #expect(failures.failed(status(500, "d")) == nil)
    failures.succeeded()
    #expect(failures.failed(status(500, "e")) == nil)
    #expect(failures.failed(status(500, "f"))?.contains("f") == true)
  }
}
