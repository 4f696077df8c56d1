import DevrunPlan
import Glibc
import TestSupport
import Testing

extension Scenarios {
  /// Ends that nobody has planned.
  @Suite("Ends")
  struct Ends {
    @Test func `SIGKILL of the front ends the command, and the cluster is restored`() async throws {
      try await Stage.play { stage in
        let session = try await stage.session()
        try await session.takeTraffic()
        let server = try #require(pid_t(try await session.output("echo $!")))
        session.process.signal(SIGKILL)
        #expect(try await session.process.status() == .killed(SIGKILL, coreDumped: false))
        try await stage.answers.wait(for: Stage.clusterAnswer)
        // What the command has left running keeps its view of the cluster until it ends.
        kill(server, SIGTERM)
      }
    }

    @Test func `SIGTERM ends the command, and the cluster is restored`() async throws {
      try await Stage.play { stage in
        let session = try await stage.session()
        try await session.takeTraffic()
        // A shell that waits for its next line handles no signal; one that waits for a process does.
        try session.process.write("trap 'kill $!; exit 8' TERM; echo trapped; wait\n")
        try await session.process.output.wait(for: "trapped")
        session.process.signal(SIGTERM)
        #expect(try await session.process.outcome().status == .exited(8), "\(session.process.errors)")
        try await stage.answers.wait(for: Stage.clusterAnswer)
      }
    }

    @Test func `devrun restore lists what SIGKILL of both processes leaves, and puts it back`() async throws {
      try await Stage.play { stage in
        try await killed(stage)
        let list = try await stage.run("restore", "-n", stage.namespace)
        #expect("\(list)".contains("deployment/app"), "\(list)")
        let outcome = try await stage.run("restore", "-n", stage.namespace, "deployment/app")
        #expect(outcome.status == .exited(0), "\(outcome)")
        try await stage.answers.wait(for: Stage.clusterAnswer)
      }
    }

    @Test func `A session on a target that a killed one has left is refused with the command that restores it`()
      async throws
    {
      try await Stage.play { stage in
        try await killed(stage)
        let session = try await stage.run(
          "-n", stage.namespace, "-t", "deployment/app", "--take-over", "now", "--", "true")
        #expect(session.status == .exited(125), "\(session)")
        #expect(session.errors.contains("devrun restore -n \(stage.namespace) deployment/app"), "\(session)")
        let outcome = try await stage.run("restore", "-n", stage.namespace, "--all")
        #expect(outcome.status == .exited(0), "\(outcome)")
        try await stage.answers.wait(for: Stage.clusterAnswer)
      }
    }

    /// Kills all processes of a session that has the traffic, as a crash of the machine does.
    private func killed(_ stage: Stage) async throws {
      let session = try await stage.session()
      try await session.takeTraffic()
      let processes = try stage.processes()
      for process in processes { kill(process.id, SIGSTOP) }
      for process in processes { kill(process.id, SIGKILL) }
      for process in processes { try await process.end(within: .seconds(10)) }
      try await session.process.status(within: .seconds(10))
    }
  }
}
