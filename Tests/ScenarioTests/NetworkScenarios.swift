import DevrunPlan
import TestSupport
import Testing

extension Scenarios {
  /// What a session does while the API server cannot be reached.
  @Suite("Network")
  struct Network {
    @Test func `A session whose tunnels are cut gets the traffic again, and the command goes on`() async throws {
      try await Stage.play { stage in
        try await relayed(stage) { relay, session in
          let command = try await session.output("echo $$")
          try await relay.cut()
          let answers = try await stage.answers.wait(for: Stage.localAnswer)
          #expect(!answers.contains(Stage.clusterAnswer))
          #expect(try await session.answerOnceReachable(of: "peer") == "the peer")
          #expect(try await session.output("echo $$") == command)
          try await session.exit(6)
        }
      }
    }

    @Test func `A session outlives a while without the API server`() async throws {
      try await Stage.play { stage in
        try await relayed(stage) { relay, session in
          try await relay.shut()
          #expect(try await session.output("echo here") == "here")
          // Without a tunnel nothing is ready to answer.
          try await stage.answers.waitForFailure()
          relay.open()
          try await stage.answers.wait(for: Stage.localAnswer)
          #expect(try await session.answerOnceReachable(of: "peer") == "the peer")
          try await session.exit(6)
        }
      }
    }

    @Test func `A session that ends without the API server restores once it is back`() async throws {
      try await Stage.play { stage in
        try await relayed(stage) { relay, session in
          try await relay.shut()
          try session.process.write("kill $!; exit 9\n")
          try await session.process.errors.wait(for: "waiting for the API server")
          relay.open()
          #expect(try await session.process.outcome().status == .exited(9), "\(session.process.errors)")
          try await stage.answers.wait(for: Stage.clusterAnswer)
        }
      }
    }

    /// Runs a session that has the traffic and reaches the API server by a relay.
    private func relayed(_ stage: Stage, _ body: (Relay, Session) async throws -> Void) async throws {
      try await Relay.with(stage.access) { relay in
        let kubeconfig = try stage.folder.write("kubeconfig", relay.kubeconfig(for: stage.access), mode: 0o600)
        let session = try await stage.session(kubeconfig: kubeconfig)
        try await session.takeTraffic()
        try await body(relay, session)
      }
    }
  }
}
