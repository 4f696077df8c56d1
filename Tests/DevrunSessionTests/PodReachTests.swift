import DevrunKube
import DevrunSystem
import DevrunTunnel
import Testing

@testable import DevrunSession

/// Which pod a connection goes to if one cannot be reached.
@Suite("Connections to the target's pods", .timeLimit(.minutes(1)))
struct PodReachTests {
  /// The pods that a connection tried.
  private actor Attempts {
    private(set) var pods: [String] = []

    func add(_ pod: String) { pods.append(pod) }
  }

  private static func status(_ code: Int) -> KubeError {
    .status(APIStatus(code: code, message: "no"), request: "forward a port", context: "c")
  }

  /// Pods of which the first in the list is chosen first.
  private func pods(_ names: String...) async throws -> TargetPods {
    let pods = TargetPods()
    let (events, changes) = AsyncThrowingStream.makeStream(of: WatchEvent.self)
    changes.yield(
      .snapshot(names.enumerated().map { PodSelectionTests.pod($1, made: names.count - $0) }))
    changes.finish()
    try await pods.follow(events)
    return pods
  }

  @Test(
    arguments: [
      status(500), status(502), status(503), status(504), status(404), .transport(.responseTimeout, server: "s"),
      .transport(.dropped("it broke"), server: "s"),
      .unexpectedResponse(request: "r", server: "s", problem: "no answer"),
    ] as [KubeError])
  func `Another pod is taken if the chosen one is gone or nothing leads to it, and is kept`(
    failure: KubeError
  ) async throws {
    let pods = try await pods("a", "b")
    let attempts = Attempts()
    let reached = try await pods.reach(within: .seconds(10)) { pod in
      await attempts.add(pod.name)
      if pod.name == "a" { throw failure }
      return pod.name
    }
    #expect(reached == "b")
    #expect(await attempts.pods == ["a", "b"])
    #expect(try await pods.reach(within: .seconds(10)) { $0.name } == "b")
  }

  @Test(
    arguments: [
      PortForwardError.remote("connection refused"), DialError.failed(.connect(.connectionRefused)), status(403),
      status(429), KubeError.transport(.refused, server: "s"), KubeError.transport(.connectTimeout, server: "s"),
    ] as [any Error])
  func `A port that the pod refuses, and a cluster that refuses all, are no reason for another pod`(
    failure: any Error
  ) async throws {
    let pods = try await pods("a", "b")
    let attempts = Attempts()
    let error = await #expect(throws: PodFailure.self) {
      try await pods.reach(within: .seconds(10)) { pod in
        await attempts.add(pod.name)
        throw failure
      }
    }
    #expect(error?.pod == "a")
    #expect(await attempts.pods == ["a"])
  }

  @Test func `If no pod can be reached, the failure of the first is thrown at once`() async throws {
    let pods = try await pods("a", "b", "c")
    let attempts = Attempts()
    let error = await #expect(throws: PodFailure.self) {
      try await pods.reach(within: .seconds(600)) { pod in
        await attempts.add(pod.name)
        throw Self.status(pod.name == "a" ? 502 : pod.name == "b" ? 404 : 500)
      }
    }
    #expect(error?.pod == "a")
    #expect(error?.cause as? KubeError == Self.status(502))
    #expect(await attempts.pods == ["a", "b", "c"])
  }

  @Test func `A connection waits for a pod no longer than it is allowed to`() async throws {
    let pods = try await pods()
    await #expect(throws: NoPod(limit: .milliseconds(1))) { try await pods.reach(within: .milliseconds(1)) { $0.name } }
  }

  @Test func `A kind of failure of a port is a warning once, whatever numbers its words have`() {
    let journal = SessionInMemory.Journal()
    let problems = PodPortProblems(journal)
    func words(_ process: Int) -> PortForwardError {
      .remote("exit status 1: 2026/01/01 10:00:0\(process) socat[\(process)] E connect: Connection refused")
    }
    for process in 1...3 { problems.report(words(process), port: 80, pod: "a") }
    problems.report(words(4), port: 81, pod: "a")
    problems.report(Self.status(502), port: 80, pod: "a")
    problems.report(Self.status(504), port: 80, pod: "a")
    problems.report(PortForwardError.peerSilent, port: 80, pod: "a")
    problems.report(NoPod(limit: .seconds(10)), port: 80, pod: nil)
    problems.report(NoPod(limit: .seconds(10)), port: 80, pod: nil)
    let isWarning = journal.all.map { $0.hasPrefix("warning: ") }
    #expect(isWarning == [true, false, false, true, true, true, true, true, false])
    #expect(journal.all[2].contains("socat[3]"))
  }
}
