import DevrunCore
import DevrunKube
import DevrunSystem
import DevrunTunnel
import Synchronization
import Testing

@testable import DevrunSession

@Suite("Pods of a session", .timeLimit(.minutes(1)))
struct AgentPodsTests {
  /// The pods of a cluster that the test makes up.
  private final class Cluster: Sendable {
    let watch: AsyncThrowingStream<WatchEvent, any Error>
    let changes: AsyncThrowingStream<WatchEvent, any Error>.Continuation
    let onCondition = Mutex<(@Sendable (WatchCondition) -> Void)?>(nil)

    init() { (watch, changes) = AsyncThrowingStream.makeStream() }

    func pods(connect: @escaping AgentPods.Connect) -> AgentPods {
      AgentPods(session: "s", container: "app", logs: nil, reporter: Silent()) { [self] report in
        onCondition.withLock { $0 = report }
        return watch
      } connect: {
        try await connect($0)
      }
    }

    func report(_ condition: WatchCondition) { onCondition.withLock { $0 }?(condition) }
  }

  private struct Silent: Reporter {
    func report(_ event: ReportEvent) {}
  }

  /// An attempt to connect that goes on until it is cancelled.
  private static func forever() async throws -> Tunnel {
    try await Task.sleep(for: .seconds(3600))
    throw CancellationError()
  }

  private static func pod(_ name: String, _ state: JSONValue, uid: String = "1") -> KubeObject {
    [
      "metadata": ["name": .string(name), "uid": .string(uid), "annotations": ["devrun.dev/session": "s"]],
      "status": ["phase": "Running", "containerStatuses": [["name": "app", "state": state]]],
    ]
  }

  private static let refusal = KubeError.status(
    APIStatus(code: 403, message: "no port-forward here"), request: "forward port 2 of pods/a", context: "c")

  private static func words(_ event: AgentEvent) -> String {
    switch event {
    case .attached(let pod): "\(pod) attached"
    case .waiting(let pod, let why): "\(pod) waiting: \(why)"
    case .hopeless(let pod, let why): "\(pod) hopeless: \(why)"
    case .rejected(let pod, let why): "\(pod) rejected: \(why)"
    case .unreachable(let pod, let error): "\(pod) unreachable: \((error as? KubeError)?.status?.message ?? "\(error)")"
    case .troubled(let why): "troubled: \(why)"
    case .gone(let pod): "\(pod) gone"
    case .recovered: "recovered"
    }
  }

  @Test func `A watch that fails closes no connection, and only cancellation does`() async throws {
    let cluster = Cluster()
    let (ends, ended) = AsyncStream<Void>.makeStream()
    let (begins, begun) = AsyncStream<Void>.makeStream()
    let hasEnded = Mutex(false)
    let pods = cluster.pods { _ in
      begun.yield()
      defer {
        hasEnded.withLock { $0 = true }
        ended.yield()
      }
      return try await Self.forever()
    }
    let following = Task { await pods.follow() }
    cluster.changes.yield(.snapshot([Self.pod("a", ["running": [:]])]))
    for await _ in begins { break }
    var events = pods.events.stream().makeAsyncIterator()
    cluster.report(.troubled(.unauthorized(context: "c", server: "https://s", words: "token expired")))
    #expect(
      (await events.next()).map(Self.words)
        == "troubled: https://s does not accept the credentials of context 'c': token expired")
    cluster.report(.recovered)
    #expect((await events.next()).map(Self.words) == "recovered")
    cluster.changes.finish(throwing: Self.refusal)
    #expect(
      (await events.next()).map(Self.words)
        == "troubled: the cluster refused to forward port 2 of pods/a: no port-forward here")
    #expect(!hasEnded.withLock { $0 })
    following.cancel()
    await following.value
    for await _ in ends { break }
    #expect(hasEnded.withLock { $0 })
    #expect(await events.next() == nil)
  }

  @Test func `A refused port-forward is reported once in the server's words`() async throws {
    let cluster = Cluster()
    let attempts = Mutex(0)
    let pods = cluster.pods { _ in
      let attempt = attempts.withLock { attempts in
        attempts += 1
        return attempts
      }
      if attempt <= 3 { throw PortForwardError.remote("connection refused") }
      if attempt <= 5 { throw Self.refusal }
      return try await Self.forever()
    }
    let following = Task { await pods.follow() }
    var events = pods.events.stream().makeAsyncIterator()
    for _ in 1...3 { cluster.changes.yield(.modified(Self.pod("a", ["running": [:]]))) }
    #expect(
      (await events.next()).map(Self.words)
        == "a waiting: the agent in it does not listen yet")
    #expect(
      (await events.next()).map(Self.words)
        == "a waiting: the cluster refused to forward port 2 of pods/a: no port-forward here")
    #expect((await events.next()).map(Self.words) == "a unreachable: no port-forward here")
    #expect(
      await pods.problems == ["a": "the cluster refused to forward port 2 of pods/a: no port-forward here"])
    following.cancel()
    await following.value
    #expect(await events.next() == nil)
  }

  @Test func `What a pod waits for is reported once, and again only when it changes`() async throws {
    let cluster = Cluster()
    let pods = cluster.pods { _ in try await Self.forever() }
    let following = Task { await pods.follow() }
    var events = pods.events.stream().makeAsyncIterator()
    let creating: JSONValue = ["waiting": ["reason": "ContainerCreating"]]
    let backOff: JSONValue = ["waiting": ["reason": "ImagePullBackOff", "message": "back-off"]]
    for state in [creating, creating, backOff, backOff, creating] {
      cluster.changes.yield(.modified(Self.pod("a", state)))
    }
    cluster.changes.yield(
      .added([
        "metadata": ["name": "b", "annotations": ["devrun.dev/session": "s"]],
        "status": ["phase": "Failed", "reason": "OutOfcpu"],
      ]))
    cluster.changes.yield(.added(Self.pod("c", ["waiting": ["reason": "InvalidImageName"]])))
    let expected = [
      "a waiting: ContainerCreating", "a waiting: ImagePullBackOff: back-off", "a waiting: ContainerCreating",
      "b rejected: OutOfcpu", "c hopeless: InvalidImageName",
    ]
    for words in expected { #expect((await events.next()).map(Self.words) == words) }
    #expect(
      await pods.problems == ["a": "ContainerCreating", "b": "OutOfcpu", "c": "InvalidImageName"])

    // Who listens later learns what holds now.
    var late = pods.events.stream().makeAsyncIterator()
    for words in expected.suffix(3) { #expect((await late.next()).map(Self.words) == words) }
    following.cancel()
    await following.value
  }

  @Test func `A pod that came anew under the same name is connected to anew`() async throws {
    let cluster = Cluster()
    let (begins, begun) = AsyncStream<Void>.makeStream()
    let pods = cluster.pods { _ in
      begun.yield()
      return try await Self.forever()
    }
    let following = Task { await pods.follow() }
    cluster.changes.yield(.snapshot([Self.pod("a", ["running": [:]])]))
    var beginnings = begins.makeAsyncIterator()
    await beginnings.next()
    cluster.changes.yield(.snapshot([Self.pod("a", ["running": [:]], uid: "2")]))
    await beginnings.next()
    #expect(await pods.pod(named: "a")?.uid == "2")
    following.cancel()
    await following.value
  }

  @Test func `A pod whose status has no words is explained by the last warning about it`() async throws {
    let cluster = Cluster()
    let pods = AgentPods(
      session: "s", container: "app", logs: nil, reporter: Silent(),
      explain: { "FailedMount: \($0.name) has no volume" },
      watch: { _ in cluster.watch }, connect: { _ in try await Self.forever() })
    let following = Task { await pods.follow() }
    var events = pods.events.stream().makeAsyncIterator()
    cluster.changes.yield(.added(Self.pod("a", ["waiting": ["reason": "ContainerCreating"]])))
    cluster.changes.yield(.added(Self.pod("b", ["waiting": ["reason": "ErrImagePull", "message": "i/o timeout"]])))
    for _ in 1...2 { _ = await events.next() }
    #expect(
      await pods.explainedProblems() == ["a": "FailedMount: a has no volume", "b": "ErrImagePull: i/o timeout"])
    following.cancel()
    await following.value
  }
}
