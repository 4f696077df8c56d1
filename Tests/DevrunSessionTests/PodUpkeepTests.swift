import DevrunCore
import DevrunKube
import DevrunSystem
import Synchronization
import Testing

@testable import DevrunSession

@Suite("Upkeep of a session's own pod", .timeLimit(.minutes(1)))
struct PodUpkeepTests {
  /// What is reported and done, in its order.
  private final class Journal: Reporter {
    let lines: AsyncStream<String>
    private let written: AsyncStream<String>.Continuation
    private let all = Mutex<[String]>([])

    init() { (lines, written) = AsyncStream.makeStream() }

    /// How often a line was written.
    func count(_ line: String) -> Int { all.withLock { $0.filter { $0 == line }.count } }

    func note(_ line: String) {
      all.withLock { $0.append(line) }
      written.yield(line)
    }

    func report(_ event: ReportEvent) {
      switch event {
      case .warning(let message):
        note("warning: " + [message.what, message.why].compactMap { $0 }.joined(separator: ": "))
      case .waiting(let text), .fact(let text): note(text)
      default: return
      }
    }
  }

  private static let never = WaitReasons.Rhythm(silence: .seconds(3600))
  private static let refusal = KubeError.status(
    APIStatus(code: 403, message: "no room"), request: "create pods/a", context: "c")

  private let journal = Journal()
  private let pods = AgentPods(
    session: "s", container: "app", logs: nil, reporter: Journal(),
    watch: { _ in AsyncThrowingStream<WatchEvent, any Error> { _ in } }, connect: { _ in throw CancellationError() })

  /// Steps that succeed after some failures.
  private func steps(failures: Int = 0) -> PodUpkeep.Steps {
    let (journal, left) = (journal, Failures(failures))
    return PodUpkeep.Steps(
      restorePayload: { journal.note("restore") },
      create: {
        journal.note("create")
        try left.fail()
      },
      remove: {
        journal.note("remove")
        try left.fail()
      })
  }

  private final class Failures: Sendable {
    private let left: Mutex<Int>

    init(_ count: Int) { left = Mutex(count) }

    func fail() throws {
      let isOne = left.withLock { left in
        left -= 1
        return left >= 0
      }
      if isOne { throw PodUpkeepTests.refusal }
    }
  }

  private func upkeep(_ steps: PodUpkeep.Steps, _ rhythm: WaitReasons.Rhythm = never) -> PodUpkeep {
    PodUpkeep(
      name: "a", steps: steps, reporter: journal, losses: Losses(), rhythm: rhythm,
      backoff: Backoff(first: .milliseconds(1), limit: .milliseconds(1)))
  }

  private func expect(_ lines: [String], _ iterator: inout AsyncStream<String>.Iterator) async {
    for line in lines { #expect(await iterator.next() == line) }
  }

  @Test func `A pod that was deleted is made anew with what it needs, and its return is reported once`() async throws {
    let upkeep = upkeep(steps())
    let task = Task { try await upkeep.run(pods) }
    var lines = journal.lines.makeAsyncIterator()
    pods.events.send(.attached(pod: "a"))
    pods.events.send(.gone(pod: "a"))
    await expect(["warning: pod/a was deleted; it is made anew", "restore", "create"], &lines)
    pods.events.send(.attached(pod: "a"))
    await expect(["pod/a is up again"], &lines)
    pods.events.send(.attached(pod: "a"))
    pods.events.finish()
    try await task.value
    #expect(journal.count("pod/a is up again") == 1)
  }

  @Test func `A failed step is repeated, and each reason is reported once`() async throws {
    let upkeep = upkeep(steps(failures: 3))
    let task = Task { try await upkeep.run(pods) }
    var lines = journal.lines.makeAsyncIterator()
    pods.events.send(.rejected(pod: "a", why: "Evicted"))
    let words = "warning: pod/a cannot be deleted yet: \(Self.refusal)"
    await expect(["remove", words, "remove", "remove", "remove"], &lines)
    pods.events.send(.gone(pod: "a"))
    await expect(["warning: pod/a was deleted; it is made anew", "restore", "create"], &lines)
    pods.events.finish()
    try await task.value
  }

  @Test func `A pod whose creation was under way when the session ended is deleted`() async throws {
    let (created, creating) = AsyncStream<Void>.makeStream()
    let (answers, answer) = AsyncStream<Void>.makeStream()
    let journal = journal
    var steps = steps()
    steps.create = {
      creating.yield()
      for await _ in answers { break }
      journal.note(Task.isCancelled ? "broken off" : "created")
    }
    let upkeep = upkeep(steps)
    let task = Task { try await upkeep.run(pods) }
    pods.events.send(.gone(pod: "a"))
    for await _ in created { break }
    task.cancel()
    answer.yield()
    await #expect(throws: CancellationError.self) { try await task.value }
    var lines = journal.lines.makeAsyncIterator()
    await expect(["warning: pod/a was deleted; it is made anew", "restore", "created", "remove"], &lines)
  }

  @Test func `What a pod that was made anew waits for is reported, and its ConfigMaps are looked after`() async throws {
    let upkeep = upkeep(steps(), WaitReasons.Rhythm(silence: .milliseconds(1), interval: .seconds(3600)))
    let task = Task { try await upkeep.run(pods) }
    var lines = journal.lines.makeAsyncIterator()
    pods.events.send(.waiting(pod: "a", why: "the tunnel to it broke"))
    pods.events.send(.gone(pod: "a"))
    await expect(
      ["warning: pod/a was deleted; it is made anew", "restore", "create", "waiting for pod/a", "restore"], &lines)
    for _ in 1...2 { pods.events.send(.waiting(pod: "a", why: "no node has room")) }
    pods.events.send(.attached(pod: "a"))
    await expect(["waiting for pod/a: no node has room", "pod/a is up again"], &lines)
    pods.events.finish()
    try await task.value
  }
}
