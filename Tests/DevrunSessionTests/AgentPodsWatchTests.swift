import DevrunCore
import DevrunKube
import DevrunSystem
import DevrunTunnel
import Synchronization
import TestCluster
import Testing

@testable import DevrunSession

@Suite("The watch over a session's pods", .timeLimit(.minutes(1)))
struct AgentPodsWatchTests {
  @Test func `A watch that is refused is opened again`() async throws {
    try await FakeCluster.run { cluster, namespace in
      cluster.change("pods/web-1") { pod in
        pod.annotations = ["devrun.dev/session": "s1"]
        pod.json["status"] = ["phase": "Failed", "reason": "Evicted"]
      }
      cluster.refuse(SessionInMemory.refuseOnce("GET pods", with: .mayNot, 2))
      let pods = AgentPods(
        in: namespace, labelSelector: nil, session: "s1", container: "app", reporter: SessionInMemory.Journal()
      ) { _ in throw CancellationError() }
      let following = Task { await pods.follow() }
      var kinds: [String] = []
      for await event in pods.events.stream() {
        switch event {
        case .troubled: kinds.append("troubled")
        case .recovered: kinds.append("recovered")
        case .rejected(let pod, let why): kinds.append("\(pod): \(why)")
        default: continue
        }
        if kinds.count == 3 { break }
      }
      #expect(kinds == ["troubled", "web-1: Evicted", "recovered"])
      following.cancel()
      await following.value
    }
  }

  @Test func `A connection goes on after the watch has failed`() async throws {
    let (watch, changes) = AsyncThrowingStream<WatchEvent, any Error>.makeStream()
    let (begins, begun) = AsyncStream<Void>.makeStream()
    let (answers, answer) = AsyncStream<Void>.makeStream()
    let pods = AgentPods(
      session: "s1", container: "app", logs: nil, reporter: SessionInMemory.Journal(), watch: { _ in watch },
      connect: { _ in
        begun.yield()
        for await _ in answers { break }
        throw PortForwardError.remote("nothing listens")
      })
    let following = Task { await pods.follow() }
    changes.yield(
      .added([
        "metadata": ["name": "a", "annotations": ["devrun.dev/session": "s1"]],
        "status": ["containerStatuses": [["name": "app", "state": ["running": [:]]]]],
      ]))
    for await _ in begins { break }
    var events = pods.events.stream().makeAsyncIterator()
    changes.finish(throwing: KubeError.transport(.refused, server: "s"))
    guard case .troubled = await events.next() else {
      Issue.record("the failure is not reported")
      return
    }
    // A connection that was given up would report nothing.
    answer.yield()
    guard case .waiting(pod: "a", why: let why) = await events.next() else {
      Issue.record("the connection is given up")
      return
    }
    #expect(why == "the agent in it does not listen yet")
    following.cancel()
    await following.value
  }
}
