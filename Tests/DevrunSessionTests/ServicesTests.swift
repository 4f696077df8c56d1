import DevrunCore
import Synchronization
import Testing

@testable import DevrunSession

@Suite("Services of a session")
struct ServicesTests {
  /// What happens, in its order.
  private final class Journal: Reporter {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    func note(_ line: String) { lines.withLock { $0.append(line) } }

    func report(_ event: ReportEvent) {
      if case .warning(let message) = event { note("warning: \(message.what)") }
    }
  }

  private struct Failure: Error, CustomStringConvertible {
    var description: String
  }

  private let journal = Journal()

  private func run(_ work: (Services) async throws -> Int) async throws -> Int {
    let journal = journal
    return try await withServices(
      reporter: journal, stopping: { journal.note("stopping") }, remedy: { "the remedy" }, work)
  }

  private func start(_ name: String, in services: Services, failing: Bool = false) async throws {
    let journal = journal
    try await services.start("stopping \(name)", stop: { journal.note("stop \(name)") }) {
      journal.note("start \(name)")
      if failing { throw Failure(description: "\(name) fails") }
    }
  }

  @Test func `Services are started in order and stopped in reverse`() async throws {
    let result = try await run { services in
      try await start("a", in: services)
      try await start("b", in: services)
      journal.note("work")
      return 7
    }
    #expect(result == 7)
    #expect(journal.all == ["start a", "start b", "work", "stopping", "stop b", "stop a"])
  }

  @Test func `A service that fails to start is stopped too, since part of it may be there`() async throws {
    await #expect(throws: Failure.self) {
      try await run { services in
        try await start("a", in: services)
        try await start("b", in: services, failing: true)
        return 7
      }
    }
    #expect(journal.all == ["start a", "start b", "stopping", "stop b", "stop a"])
  }

  @Test func `A service that cannot be stopped holds up no other and is named with the remedy`() async throws {
    let journal = journal
    await #expect(throws: SessionError.notRestored(["stopping b: no way"], remedy: "the remedy")) {
      try await run { services in
        try await start("a", in: services)
        await services.onStop("stopping b") { throw Failure(description: "no way") }
        return 7
      }
    }
    #expect(journal.all == ["start a", "stopping", "stop a"])
  }

  @Test func `A service that the rest needs stays if something could not be stopped`() async throws {
    let journal = journal
    let error = await #expect(throws: SessionError.self) {
      try await run { services in
        try await services.start("stopping a", isNeededByRest: true, stop: { journal.note("stop a") }) {}
        await services.onStop("stopping b") { throw Failure(description: "no way") }
        return 7
      }
    }
    #expect(error == .notRestored(["stopping b: no way"], remedy: "the remedy"))
    #expect(journal.all == ["stopping"])
  }

  @Test func `Both failures are named if the work and the stopping fail`() async throws {
    do {
      _ = try await run { services in
        await services.onStop("stopping b") { throw Failure(description: "no way") }
        throw SessionError.agentFailed(pod: "x", why: "image gone")
      }
      Issue.record("it must throw")
    } catch {
      let text = "\(error)"
      #expect(text.hasPrefix("the agent does not run in pod/x\nimage gone\n"), "\(text)")
      #expect(text.contains("stopping b: no way") && text.hasSuffix("the remedy"), "\(text)")
    }
  }

  @Test func `Services are stopped when the task is cancelled`() async throws {
    let journal = journal
    let task = Task {
      try await run { services in
        try await start("a", in: services)
        try await Task.sleep(for: .seconds(600))
        return 7
      }
    }
    while journal.all.isEmpty { await Task.yield() }
    task.cancel()
    await #expect(throws: CancellationError.self) { try await task.value }
    #expect(journal.all == ["start a", "stopping", "stop a"])
  }

  @Test func `Work in the background that fails is reported, and one that is cancelled is not`() async throws {
    let journal = journal
    _ = try await run { services in
      await services.inBackground("watching x", failure: "x is not seen any more") {
        throw Failure(description: "gone")
      }
      await services.inBackground("watching y") { try await Task.sleep(for: .seconds(600)) }
      while journal.all.isEmpty { await Task.yield() }
      return 7
    }
    #expect(journal.all == ["warning: x is not seen any more", "stopping"])
  }
}
