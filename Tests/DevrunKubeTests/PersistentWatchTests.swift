import DevrunCore
import NIOConcurrencyHelpers
import NIOHTTP1
import Testing

@testable import DevrunKube

@Suite("State machine of a watch that goes on")
struct PersistentWatchStateMachineTests {
  private static func status(_ code: Int, retryAfter: Int? = nil) -> KubeError {
    .status(
      APIStatus(code: code, message: "x", details: .init(retryAfterSeconds: retryAfter)), request: "watch", context: "c"
    )
  }

  private static let failures: [KubeError] = [
    status(400), status(403), status(404), status(500), status(429),
    .unauthorized(context: "c", server: "s", words: "expired"),
    .transport(.certificateNotTrusted("x"), server: "s"), .transport(.proxy("407"), server: "s"),
    .transport(.other("x"), server: "s"), .unexpectedResponse(request: "r", server: "s", problem: "a page"),
  ]

  @Test(arguments: failures)
  func `Every failure of the first list and of a watch is followed by another attempt`(failure: KubeError) {
    var machine = WatchStateMachine(isPersistent: true)
    #expect(machine.next() == .list)
    machine.failed(failure)
    #expect(machine.next() == .list)
    machine.failed(failure)
    #expect(machine.next() == .backOff(attempt: 2))
    #expect(machine.next() == .list)
    machine.listed(resourceVersion: "5")
    #expect(machine.next() == .watch(resourceVersion: "5"))
    machine.failed(failure)
    #expect(machine.next() == .backOff(attempt: 3))
    #expect(machine.next() == .watch(resourceVersion: "5"))
    machine.opened()
    machine.failed(failure)
    #expect(machine.next() == .backOff(attempt: 4))
    #expect(machine.next() == .watch(resourceVersion: "5"))
  }

  @Test func `A credential plugin that fails is run again after the longest wait`() {
    var machine = WatchStateMachine(isPersistent: true)
    let failure = KubeError.credentials(.pluginFailed(command: "login", ending: "status 1"), context: "c")
    machine.failed(failure)
    guard case .backOff(let attempt, nil) = machine.next() else {
      Issue.record("there is no wait")
      return
    }
    let wait = RetryPolicy().watchDelay(attempt: attempt, retryAfter: nil, isPersistent: true, jitter: 0)
    #expect(wait == .seconds(60))
    #expect(machine.takeCondition() == .troubled(failure))
  }

  @Test func `Each kind of trouble is reported once when it has lasted, and its end once`() {
    var machine = WatchStateMachine(isPersistent: true)
    machine.listed(resourceVersion: "5")
    machine.opened()
    var reported: [WatchCondition] = []
    func step(_ body: (inout WatchStateMachine) -> Void) {
      body(&machine)
      if let condition = machine.takeCondition() { reported.append(condition) }
    }
    let refused = KubeError.transport(.refused, server: "s")
    let expired = KubeError.unauthorized(context: "c", server: "s", words: "expired")
    // A failure that the next attempt gets over is none.
    step { $0.failed(Self.status(403)) }
    step { $0.opened() }
    step { _ = $0.received(.bookmark(resourceVersion: "6"), context: "c", words: "watch") }
    #expect(reported == [])
    step { $0.failed(refused) }
    for error in [refused, .transport(.unreachable("x"), server: "s"), Self.status(503), expired, expired] {
      step { $0.failed(error) }
    }
    #expect(reported == [.troubled(refused), .troubled(expired)])
    step { $0.opened() }
    step { _ = $0.received(.bookmark(resourceVersion: "7"), context: "c", words: "watch") }
    #expect(reported == [.troubled(refused), .troubled(expired), .recovered])
  }

  @Test func `The wait that the server asks for is kept`() {
    var machine = WatchStateMachine(isPersistent: true)
    machine.failed(Self.status(429, retryAfter: 7))
    machine.failed(Self.status(429, retryAfter: 7))
    #expect(machine.next() == .backOff(attempt: 2, retryAfter: 7))
  }

  @Test(
    arguments: [
      (1, nil, false, Duration.milliseconds(250)), (10, nil, false, .seconds(5)), (10, nil, true, .seconds(60)),
      (1, 7, true, .seconds(7)), (10, 7, true, .seconds(60)), (1, 3600, true, .milliseconds(250)),
    ] as [(Int, Int?, Bool, Duration)])
  func `A watch waits as long as the server asks, within limits`(
    attempt: Int, retryAfter: Int?, isPersistent: Bool, wait: Duration
  ) {
    let policy = RetryPolicy()
    #expect(policy.watchDelay(attempt: attempt, retryAfter: retryAfter, isPersistent: isPersistent, jitter: 0) == wait)
  }
}

@Suite("Watches that go on")
struct PersistentWatchTests {
  private static func pod(_ name: String, _ version: String) -> JSONValue {
    ["kind": "Pod", "metadata": ["name": .string(name), "resourceVersion": .string(version)]]
  }

  private static let list: [Step] = .json(
    200, ["kind": "PodList", "metadata": ["resourceVersion": "1"], "items": []])

  private static let oneEvent: [Step] = {
    let line: JSONValue = ["type": "ADDED", "object": pod("a", "2")]
    return [.head(200, [:]), .chunk(String(decoding: line.text, as: UTF8.self) + "\n")]
  }()

  @Test func `A persistent watch goes on whatever the server answers`() async throws {
    let answers = [401, 401, 403, 403, 404, 429, 500, 503, 400]
    let conditions = NIOLockedValueBox<[String]>([])
    try await withServer { _, index in
      if index == 0 { return .status(403, reason: "Forbidden", message: "no list") }
      if index == 1 { return Self.list }
      guard index - 2 < answers.count else { return Self.oneEvent }
      return .status(answers[index - 2], reason: "", message: "no", ["Retry-After": "3600"])
    } _: { client, server in
      let watch = client.persistentWatch(.pods(in: "shop")) { condition in
        let words =
          switch condition {
          case .troubled(.unauthorized): "unauthorized"
          case .troubled(let error): "\(error.status?.code ?? 0)"
          case .recovered: "recovered"
          }
        conditions.withLockedValue { $0.append(words) }
      }
      var events = watch.makeAsyncIterator()
      let snapshot = try await events.next()
      #expect(snapshot == .snapshot([]))
      let added = try await events.next()
      #expect(added == .added(KubeObject(Self.pod("a", "2"))))
      #expect(server.requests.filter { !$0.uri.contains("watch=true") }.count == 2)
    }
    #expect(conditions.withLockedValue { $0 } == ["unauthorized", "403", "404", "429", "400", "recovered"])
  }

  @Test func `A persistent watch survives a network that comes and goes`() async throws {
    try await withServer { request, index in
      if index < 8 { return [.close] }
      return request.uri.contains("watch=true") ? Self.oneEvent : Self.list
    } _: { client, _ in
      let watch = client.persistentWatch(object: .pods(in: "shop").named("a")) { _ in }
      var events = watch.makeAsyncIterator()
      let snapshot = try await events.next()
      #expect(snapshot == .snapshot([]))
      let added = try await events.next()
      #expect(added == .added(KubeObject(Self.pod("a", "2"))))
    }
  }

  @Test func `A persistent watch ends when its task is cancelled`() async throws {
    try await withServer { _, _ in
      .status(403, reason: "Forbidden", message: "no")
    } _: { client, _ in
      let (troubles, troubled) = AsyncStream<Void>.makeStream()
      let watch = Task {
        for try await _ in client.persistentWatch(.pods(in: "shop"), onCondition: { _ in troubled.yield() }) {}
      }
      for await _ in troubles { break }
      watch.cancel()
      await #expect(throws: CancellationError.self) { try await watch.value }
    }
  }
}
