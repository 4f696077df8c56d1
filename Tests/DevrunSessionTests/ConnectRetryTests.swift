import DevrunCore
import DevrunKube
import DevrunTunnel
import Testing

@testable import DevrunSession

@Suite("Connecting again to a pod")
struct ConnectRetryTests {
  private static func status(_ code: Int, kind: String = "", name: String = "") -> KubeError {
    .status(
      APIStatus(code: code, message: "no", details: .init(name: name, kind: kind)), request: "forward", context: "c")
  }

  @Test(
    arguments: [
      (status(400), .refused), (status(403, kind: "pods", name: "p"), .refused), (status(405), .refused),
      (status(404), .refused), (status(404, kind: "pods", name: "p"), .passing), (status(429), .passing),
      (status(500), .passing), (status(503), .passing),
      (KubeError.unauthorized(context: "c", server: "s", words: "no"), .refused),
      (KubeError.unexpectedResponse(request: "r", server: "s", problem: "a page"), .refused),
      (KubeError.transport(.refused, server: "s"), .passing),
      (KubeError.transport(.proxy("502", isTransient: true), server: "s"), .passing),
      (KubeError.transport(.certificateNotTrusted("x"), server: "s"), .refused),
      (PortForwardError.subprotocolRefused(nil), .refused),
      (PortForwardError.remote("failed to connect to localhost:2: connection refused"), .notListening),
      (
        PortForwardError.remote("error forwarding port 2 to pod x: unable to do port forwarding: socat not found"),
        .refused
      ),
      (PortForwardError.remote(#"failed to find socat: exec: "socat": executable file not found in $PATH"#), .refused),
      (PortForwardError.remote("unable to do port forwarding: nsenter not found."), .refused),
      (PortForwardError.peerSilent, .passing),
      (PortForwardError.closed(code: 1006, reason: ""), .passing),
      (TunnelError.noAgent("the port-forward was closed"), .notListening),
      (TunnelError.noAgent("unable to do port forwarding: socat not found"), .refused),
      (TunnelError.refused(.wrongSecret, agentVersion: 1, "no"), .refused),
      (TunnelError.timedOut, .passing), (TunnelError.lost("x"), .passing),
    ] as [(any Error, ConnectRetry.Failure)])
  func `A failure to connect means that nothing listens yet, that it passes, or that it is refused`(
    error: any Error, expected: ConnectRetry.Failure
  ) {
    #expect(ConnectRetry.Failure(error, pod: "p") == expected)
  }

  @Test func `An agent that does not listen yet is tried at least every second, a refusal every minute`() {
    var retry = ConnectRetry()
    let quick = (1...8).map { _ in retry.failed(.notListening, jitter: 0) }
    #expect(quick == [25, 50, 100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
    let refused = (1...8).map { _ in retry.failed(.refused, jitter: 0) }
    #expect(refused == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    #expect(retry.failed(.refused, jitter: 1) == .seconds(30))
  }

  @Test func `An agent that does not listen counts as one that starts for some attempts, and no other failure does`() {
    var retry = ConnectRetry()
    let starting = (1...7).map { _ in
      _ = retry.failed(.notListening, jitter: 0)
      return retry.isStarting
    }
    #expect(starting == [true, true, true, true, true, true, false])
    _ = retry.failed(.passing, jitter: 0)
    #expect(!retry.isStarting)
  }

  @Test func `Only the second refusal in a row counts`() {
    var retry = ConnectRetry()
    _ = retry.failed(.refused, jitter: 0)
    #expect(!retry.isRefused)
    _ = retry.failed(.passing, jitter: 0)
    _ = retry.failed(.refused, jitter: 0)
    #expect(!retry.isRefused)
    _ = retry.failed(.refused, jitter: 0)
    #expect(retry.isRefused)
  }

  @Test func `A tunnel that breaks at once does not shorten the waits, and one that lasted does`() {
    var retry = ConnectRetry()
    let flapping = (1...4).map { _ in retry.broke(after: .milliseconds(5), jitter: 0) }
    #expect(flapping == [100, 200, 400, 800].map { .milliseconds($0) })
    #expect(retry.broke(after: ConnectRetry.stableLife, jitter: 0) == .milliseconds(100))
  }
}
