import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite struct RetryPolicyTests {
  private let policy = RetryPolicy()

  @Test(
    arguments: [
      (HTTPMethod.GET, RetryPolicy.Outcome.status(429, retryAfter: 2), Duration.seconds(2)),
      (.POST, .status(429, retryAfter: 2), .seconds(2)),
      (.PATCH, .status(503, retryAfter: 1), .seconds(1)),
      (.POST, .status(429, retryAfter: nil), .milliseconds(250)),
      (.GET, .status(429, retryAfter: 0), .milliseconds(250)),
      (.GET, .transport(.dropped("reset")), .milliseconds(250)),
    ])
  func `A request is retried if the server did not begin it or a read lost its connection`(
    _ method: HTTPMethod, _ outcome: RetryPolicy.Outcome, _ delay: Duration
  ) {
    #expect(policy.delay(method: method, attempt: 1, outcome: outcome, jitter: 0) == delay)
  }

  @Test(
    arguments: [
      (HTTPMethod.GET, RetryPolicy.Outcome.status(503, retryAfter: nil)),
      (.GET, .status(500, retryAfter: nil)),
      (.GET, .status(404, retryAfter: nil)),
      (.GET, .status(429, retryAfter: 3600)),
      (.POST, .transport(.dropped("reset"))),
      (.PATCH, .transport(.dropped("reset"))),
      (.DELETE, .transport(.dropped("reset"))),
      (.GET, .transport(.refused)),
      (.GET, .transport(.responseTimeout)),
    ])
  func `A failure that a retry cannot cure or could make worse is final`(
    _ method: HTTPMethod, _ outcome: RetryPolicy.Outcome
  ) {
    #expect(policy.delay(method: method, attempt: 1, outcome: outcome, jitter: 0) == nil)
  }

  @Test func `Retries are limited in number, and their delays grow up to a limit`() {
    let outcome = RetryPolicy.Outcome.status(429, retryAfter: nil)
    let delays = (1...4).map { policy.delay(method: .GET, attempt: $0, outcome: outcome, jitter: 0) }
    #expect(delays == [.milliseconds(250), .milliseconds(500), .seconds(1), nil])
    #expect(policy.backoff.duration(after: 1000) == .seconds(5))
    #expect(policy.backoff.duration(after: 1000, jitter: 1) == .milliseconds(2500))
  }

  @Test func `The waits between attempts double up to a limit`() {
    let backoff = Backoff()
    let waits = (1...8).map { backoff.duration(after: $0) }
    #expect(waits == [25, 50, 100, 200, 400, 800, 1000, 1000].map { .milliseconds($0) })
  }
}
