import DevrunPlan
import Glibc
import TestSupport
import Testing

extension EndToEnd.Runs {
  /// Sessions that come too soon after each other, as an IDE's stop and run buttons make them. `make e2e ROUNDS=10` tries
  /// each more often.
  @Suite("Sessions that meet")
  struct Races {
    let cluster = Cluster.shared

    private func start(_ command: String) throws -> TestProcess {
      try cluster.start(["-t", "deployment/myapp1", "--take-over", "now", "--", "sh", "-c", command])
    }

    /// Checks that a run has worked, or has reported who is there.
    private func expectWorkedOrTold(_ outcome: Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
      if outcome.status == .exited(5) { return }
      #expect(outcome.status == .exited(125), "\(outcome)", sourceLocation: sourceLocation)
      #expect(outcome.errors.contains("deployment/myapp1"), "\(outcome)", sourceLocation: sourceLocation)
    }

    @Test(arguments: 1...Settings.rounds)
    func `A run within two seconds after SIGKILL of the one before works or is told, and leaves no trace`(
      round: Int
    ) async throws {
      try await cluster.leavingNoTrace {
        let killed = try start("echo ready; exec sleep 60")
        try await killed.output.wait(for: "ready")
        killed.signal(SIGKILL)
        try await killed.status()
        // Not a wait for something: the moment itself is what is tried.
        try await Task.sleep(for: .milliseconds(Int.random(in: 0...2000)))
        expectWorkedOrTold(try await start("exit 5").outcome())
      }
    }

    @Test(arguments: 1...Settings.rounds)
    func `Of two runs on one target at the same moment each works or is told, and nothing is left`(
      round: Int
    ) async throws {
      try await cluster.leavingNoTrace {
        let (one, other) = (try start("exit 5"), try start("exit 5"))
        async let first = one.outcome()
        async let second = other.outcome()
        let outcomes = try await [first, second]
        for outcome in outcomes { expectWorkedOrTold(outcome) }
        #expect(outcomes.contains { $0.status == .exited(5) }, "\(outcomes)")
      }
    }
  }
}
