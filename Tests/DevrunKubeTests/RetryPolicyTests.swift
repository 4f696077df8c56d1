import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite struct RetryPolicyTests {
  private let policy = RetryPolicy()
  private let quick = Backoff(first: .milliseconds(1))

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

  @Test func `An operation is repeated as long as its failures are transient`() async throws {
    let transient = KubeError.transport(.refused, server: "s")
    let attempts = NIOLockedValueBox(0)
    let retries = NIOLockedValueBox<[KubeError]>([])
    let value = try await RetryPolicy.retryingTransientFailures(
      backoff: quick, onRetry: { error in retries.withLockedValue { $0.append(error) } }
    ) {
      let attempt = attempts.withLockedValue { attempts in
        attempts += 1
        return attempts
      }
      if attempt < 3 { throw transient }
      return attempt
    }
    #expect(value == 3)
    #expect(retries.withLockedValue { $0 } == [transient, transient])
  }

  @Test(
    arguments: [
      (KubeError.transport(.tls("no TLS"), server: "s"), Duration.seconds(120)),
      (.transport(.refused, server: "s"), .zero),
    ])
  func `A failure that is not transient, or comes too late, is final`(
    failure: KubeError, patience: Duration
  ) async throws {
    await #expect(throws: failure) {
      try await RetryPolicy.retryingTransientFailures(
        for: patience, backoff: quick, onRetry: { Issue.record("a retry after \($0)") }
      ) { throw failure }
    }
  }

  @Test func `The patience with failures begins anew after an attempt that got somewhere`() async throws {
    let patience = Duration.milliseconds(40)
    let attempts = NIOLockedValueBox(0)
    let value = try await RetryPolicy.retryingTransientFailures(for: patience, backoff: quick, onRetry: { _ in }) {
      let attempt = attempts.withLockedValue { attempts in
        attempts += 1
        return attempts
      }
      if attempt == 3 { return attempt }
      // As a restore that waits for a rollout, and then finds the API server away.
      try await Task.sleep(for: patience * 2)
      throw KubeError.transport(.refused, server: "s")
    }
    #expect(value == 3)
  }
}
