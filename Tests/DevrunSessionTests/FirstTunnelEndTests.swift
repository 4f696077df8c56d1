import DevrunCore
import DevrunKube
import DevrunSystem
import Testing

@testable import DevrunSession

@Suite("End of the wait for the first tunnel", .timeLimit(.minutes(1)))
struct FirstTunnelEndTests {
  private struct Silent: Reporter {
    func report(_ event: ReportEvent) {}
  }

  private static let refusal = KubeError.status(
    APIStatus(code: 403, message: "no port-forward here"), request: "forward port 2 of pods/a", context: "c")

  private let pods = AgentPods(
    session: "s", container: "app", logs: nil, reporter: Silent(),
    watch: { _ in AsyncThrowingStream<WatchEvent, any Error> { _ in } }, connect: { _ in throw CancellationError() })

  private func wait(_ timeout: Duration = .seconds(3600), endsWhenHopeless: Bool) async throws {
    let wait = FirstTunnel(
      to: "deployment/web", reporter: Silent(), timeout: timeout, endsWhenHopeless: endsWhenHopeless)
    try await wait.wait(for: pods)
  }

  @Test func `The first tunnel ends the wait, whatever keeps the other pods`() async throws {
    pods.events.send(.waiting(pod: "a", why: "no node has room"))
    pods.events.send(.hopeless(pod: "b", why: "InvalidImageName"))
    pods.events.send(.rejected(pod: "c", why: "OutOfcpu"))
    pods.events.send(.unreachable(pod: "d", error: Self.refusal))
    pods.events.send(.gone(pod: "e"))
    pods.events.send(.attached(pod: "f"))
    pods.events.finish()
    try await wait(endsWhenHopeless: false)
  }

  @Test(
    arguments: [
      (.hopeless(pod: "a", why: "InvalidImageName"), SessionError.agentFailed(pod: "a", why: "InvalidImageName")),
      (.rejected(pod: "a", why: "OutOfcpu"), SessionError.agentFailed(pod: "a", why: "OutOfcpu")),
      (.gone(pod: "a"), SessionError.agentFailed(pod: "a", why: "it was deleted")),
    ] as [(AgentEvent, SessionError)])
  func `What the only pod will not get over ends the wait`(event: AgentEvent, error: SessionError) async throws {
    pods.events.send(event)
    pods.events.finish()
    await #expect(throws: error) { try await wait(endsWhenHopeless: true) }
  }

  @Test func `A port-forward to the only pod that is refused ends the wait with the server's words`() async throws {
    pods.events.send(.unreachable(pod: "a", error: Self.refusal))
    pods.events.finish()
    await #expect(throws: Self.refusal) { try await wait(endsWhenHopeless: true) }
  }

  @Test func `A wait that takes too long ends with what is waited for`() async throws {
    pods.events.send(.waiting(pod: "a", why: "no node has room"))
    let error = await #expect(throws: SessionError.self) {
      try await wait(.milliseconds(200), endsWhenHopeless: true)
    }
    guard case .startTimedOut("deployment/web", after: .milliseconds(200), let why) = error else {
      Issue.record("the error is \(String(describing: error))")
      return
    }
    // On a busy machine the time may be over before the event is seen.
    #expect(why == ["pod/a: no node has room"] || why.isEmpty)
  }
}
