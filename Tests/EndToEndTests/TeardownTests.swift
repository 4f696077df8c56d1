import DevrunPlan
import Glibc
import TestSupport
import Testing

extension EndToEnd.Endings {
  /// However a session ends, cluster and machine are as they were.
  @Suite("Teardown")
  struct Teardown {
    let cluster = Cluster.shared

    /// A child that counts a signal, goes on for a second after the first, and exits with 40 and the count.
    static func counter(of signal: String) -> [String] {
      [
        "sh", "-c",
        """
        n=0; trap 'n=$((n + 1))' \(signal); echo ready
        while [ $n = 0 ]; do sleep 0.1; done
        for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; done; exit $((40 + n))
        """,
      ]
    }

    /// What prints that it runs, and waits.
    static let waiter = ["sh", "-c", "echo ready; exec sleep 60"]

    func start(
      _ command: [String], options: [String] = ["--take-over", "now"], place: TestProcess.Place = .ownGroup
    ) throws -> TestProcess {
      try cluster.start(["-t", "deployment/myapp1"] + options + ["--"] + command, place: place)
    }

    /// Starts a session, does something to it once its child runs, and checks how it ends and what it leaves.
    func session(
      _ command: [String], options: [String] = ["--take-over", "now"], place: TestProcess.Place = .ownGroup,
      endsWith expected: WaitStatus,
      sourceLocation: SourceLocation = #_sourceLocation, _ interfere: (TestProcess) async throws -> Void
    ) async throws {
      try await cluster.leavingNoTrace(sourceLocation: sourceLocation) {
        let process = try start(command, options: options, place: place)
        try await process.output.wait(for: "ready")
        try await interfere(process)
        let status = try await process.status()
        #expect(status == expected, "\(process.output)", sourceLocation: sourceLocation)
      }
    }

    // That each of the others does is tested by the launcher's own tests, without a cluster.
    @Test func `A signal to devrun alone reaches the session's command once`() async throws {
      try await session(Self.counter(of: "HUP"), options: [], endsWith: .exited(41)) { $0.signal(SIGHUP) }
    }

    @Test func `A signal to each process of a session, as a service manager sends it, reaches the command once`()
      async throws
    {
      try await session(Self.counter(of: "HUP"), options: [], endsWith: .exited(41)) { _ in
        // The shell's short `sleep`s die of it, and count for nothing.
        for (id, _) in try cluster.machine.processes() { kill(id, SIGHUP) }
      }
    }

    @Test(arguments: [SIGTERM, SIGHUP, SIGINT])
    func `A signal to devrun that ends the session's command ends devrun the same way`(signal: Int32) async throws {
      try await session(Self.waiter, endsWith: .killed(signal, coreDumped: false)) {
        $0.signal(signal)
      }
    }

    @Test func `Ctrl-C on the terminal of a session reaches the command once`() async throws {
      try await session(Self.counter(of: "INT"), options: [], place: .terminal, endsWith: .exited(41)) {
        try $0.write("\u{3}")
      }
    }

    @Test func `Ctrl-C on the terminal of a session ends the command, and devrun the same way`() async throws {
      try await session(Self.waiter, options: [], place: .terminal, endsWith: .killed(SIGINT, coreDumped: false)) {
        try $0.write("\u{3}")
      }
    }

    @Test func `SIGKILL of the front ends the session's command, and the cluster is restored`() async throws {
      try await session(Self.waiter, endsWith: .killed(SIGKILL, coreDumped: false)) {
        $0.signal(SIGKILL)
      }
    }

    @Test func `devrun restore undoes what a completely killed session has changed`() async throws {
      try await cluster.leavingNoTrace {
        let process = try start(Self.waiter)
        try await process.output.wait(for: "ready")
        try await cluster.killSession(process)
        try await eventually { try cluster.machine.processes().isEmpty ? nil : "a killed process is still there" }
        let outcome = try await cluster.devrun("restore", "deployment/myapp1")
        #expect(outcome.status == .exited(0), "\(outcome)")
        #expect(outcome.output == "")
      }
    }

    @Test func `devrun restore succeeds and touches nothing if there is nothing to restore`() async throws {
      let outcome = try await cluster.touchingNothing { try await cluster.devrun("restore", "--all") }
      #expect(outcome.status == .exited(0), "\(outcome)")
    }

    @Test func `A session whose replaced pods are deleted goes on, and leaves no trace`() async throws {
      try await session(["sh", "-c", "echo ready; sleep 8; exit 6"], endsWith: .exited(6)) {
        _ in try await cluster.kubectl("delete", "pods", "-l", "app=myapp1", "--wait=false")
      }
    }

    @Test func `A session whose own pod is deleted ends or goes on, and leaves no trace`() async throws {
      try await cluster.leavingNoTrace {
        let process = try start(["sh", "-c", "echo ready; sleep 8; exit 6"], options: [])
        try await process.output.wait(for: "ready")
        try await cluster.kubectl("delete", "pods", "-l", "devrun.dev/session", "--wait=false")
        let status = try await process.status()
        #expect(status == .exited(6) || status == .exited(125), "\(process.errors.text)")
      }
    }
  }
}
