import DevrunCore
import DevrunKube
import DevrunSystem
import Synchronization
import Testing

@testable import DevrunSession

@Suite("Wait for the first tunnel", .timeLimit(.minutes(1)))
struct FirstTunnelTests {
  private final class Words: Reporter {
    let texts: AsyncStream<String>
    private let spoken: AsyncStream<String>.Continuation

    init() { (texts, spoken) = AsyncStream.makeStream() }

    func report(_ event: ReportEvent) {
      if case .waiting(let text) = event { spoken.yield(text) }
    }
  }

  @Test func `What no status says is looked up again, and each reason is printed once`() async throws {
    let reasons = ["FailedMount: no secret", "FailedMount: no secret", "FailedMount: no configmap"]
    let looks = Mutex(0)
    let (changes, change) = AsyncThrowingStream<WatchEvent, any Error>.makeStream()
    let words = Words()
    let pods = AgentPods(
      session: "s", container: "app", logs: nil, reporter: words,
      explain: { _ in
        let look = looks.withLock { looks in
          looks += 1
          return looks
        }
        return reasons[min(look, reasons.count) - 1]
      },
      watch: { _ in changes }, connect: { _ in throw CancellationError() })
    let following = Task { await pods.follow() }
    var events = pods.events.stream().makeAsyncIterator()
    change.yield(
      .added([
        "metadata": ["name": "a", "annotations": ["devrun.dev/session": "s"]],
        "status": ["containerStatuses": [["name": "app", "state": ["waiting": ["reason": "ContainerCreating"]]]]],
      ]))
    _ = await events.next()
    let wait = FirstTunnel(
      to: "pod/a", reporter: words, timeout: .seconds(3600), endsWhenHopeless: true,
      rhythm: WaitReasons.Rhythm(silence: .milliseconds(1), interval: .milliseconds(1)))
    let waiting = Task { try await wait.wait(for: pods) }
    var texts = words.texts.makeAsyncIterator()
    #expect(await texts.next() == "waiting for pod/a: FailedMount: no secret")
    #expect(await texts.next() == "waiting for pod/a: FailedMount: no configmap")
    waiting.cancel()
    _ = await waiting.result
    following.cancel()
    await following.value
  }
}
