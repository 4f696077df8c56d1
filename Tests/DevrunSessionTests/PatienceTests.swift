import DevrunCore
import DevrunKube
import Synchronization
import Testing

@testable import DevrunSession
@testable import DevrunWorkload

@Suite("Patience with failures that pass")
struct PatienceTests {
  /// Fails some times, then succeeds.
  private final class Flaky: Sendable {
    private let failures: Mutex<[KubeError]>
    private let count = Mutex(0)

    init(_ failures: [KubeError]) { self.failures = Mutex(failures) }

    var attempts: Int { count.withLock { $0 } }

    func attempt() throws -> Int {
      count.withLock { $0 += 1 }
      if let error = failures.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) { throw error }
      return 7
    }
  }

  private final class Listener: Reporter {
    let texts = Mutex<[String]>([])

    func report(_ event: ReportEvent) {
      if case .waiting(let text) = event { texts.withLock { $0.append(text) } }
    }
  }

  private static func status(_ code: Int, _ message: String = "no") -> KubeError {
    .status(APIStatus(code: code, message: message), request: "patch deployments/web", context: "c")
  }

  private static let missingRight = status(
    403,
    #"deployments.apps "web" is forbidden: User "ann" cannot patch resource "deployments" in API group "apps" in the namespace "shop""#
  )
  private static let quota = KubeError.status(
    APIStatus(
      code: 403, reason: "Forbidden",
      message: #"pods "web-1" is forbidden: exceeded quota: full, requested: pods=1, used: pods=3, limited: pods=3"#),
    request: "create pods/web-1", context: "c")

  private let listener = Listener()
  private let urgency = RestoreUrgency()

  private func patience(_ limit: Duration = .seconds(60)) -> Patience {
    Patience(limit: limit, reporter: listener, urgency: urgency)
  }

  @Test(
    arguments: [
      status(500), status(503), status(429), missingRight, .unauthorized(context: "c", server: "s", words: "expired"),
      .transport(.refused, server: "s"),
    ])
  func `A failure that passes is endured`(error: KubeError) async throws {
    let flaky = Flaky([error, error])
    #expect(try await patience().persist { try flaky.attempt() } == 7)
    #expect(flaky.attempts == 3)
    #expect(listener.texts.withLock(\.count) == 1, "one reason is reported once")
  }

  @Test(arguments: [status(404), status(409), status(410), status(422), quota])
  func `A failure that does not pass is thrown at once`(error: KubeError) async throws {
    let flaky = Flaky([error])
    await #expect(throws: error) { try await patience().persist { try flaky.attempt() } }
    #expect(flaky.attempts == 1)
  }

  @Test func `The next attempt comes no earlier than the server asks`() async throws {
    let busy = KubeError.status(
      APIStatus(code: 429, message: "busy", details: .init(retryAfterSeconds: 1)), request: "get", context: "c")
    let flaky = Flaky([busy])
    let start = ContinuousClock.now
    #expect(try await patience().persist { try flaky.attempt() } == 7)
    #expect(ContinuousClock.now - start >= .seconds(1))
  }

  @Test func `Who restores by hand does not wait for a right`() async throws {
    let flaky = Flaky([Self.missingRight])
    let patience = Patience(limit: .seconds(60), reporter: listener, urgency: urgency) { $0.isTransient }
    await #expect(throws: Self.missingRight) { try await patience.persist { try flaky.attempt() } }
    #expect(flaky.attempts == 1)
  }

  @Test func `The patience begins anew after an attempt that got somewhere`() async throws {
    let patience = patience(.milliseconds(40))
    let flaky = Flaky([Self.status(503), Self.status(503)])
    let value = try await patience.persist {
      // As a restore that waits for the controller, and then finds the API server away.
      if flaky.attempts < 2 { try await Task.sleep(for: .milliseconds(80)) }
      return try flaky.attempt()
    }
    #expect(value == 7)
  }

  @Test func `All operations share one patience, and a success renews it`() async throws {
    let patience = patience(.milliseconds(80))
    let dead = Flaky(Array(repeating: Self.status(503), count: 1000))
    await #expect(throws: Self.status(503)) { try await patience.persist { try dead.attempt() } }
    let attempts = dead.attempts
    await #expect(throws: Self.status(503)) { try await patience.persist { try dead.attempt() } }
    #expect(dead.attempts == attempts + 1, "nothing is left of the patience")
    #expect(try await patience.persist { 7 } == 7)
    let flaky = Flaky([Self.status(503)])
    #expect(try await patience.persist { try flaky.attempt() } == 7)
  }

  @Test func `Nothing is endured once waits are skipped`() async throws {
    urgency.skipWaits()
    let flaky = Flaky([Self.status(503)])
    await #expect(throws: Self.status(503)) { try await patience().persist { try flaky.attempt() } }
  }

  @Test func `What others have deleted needs no undoing once the rights are gone with the namespace`() async throws {
    let losses = Losses()
    let flaky = Flaky([Self.missingRight])
    #expect(try await patience().persist(unless: losses) { try flaky.attempt() } == 7)
    losses.note("pod/x")
    let forbidden = Flaky([Self.missingRight])
    #expect(try await patience().persist(unless: losses) { try forbidden.attempt() } == nil)
    #expect(forbidden.attempts == 1)
    losses.forget("pod/x")
    #expect(losses.isEmpty)
  }
}
