import DevrunPlan
import TestSupport
import Testing

extension Scenarios {
  /// What a session does where the network or the machine is not what it should be.
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

    @Test(.enabled(if: is64BitX86, "an x86-64 machine is needed"))
    func `A session in a container, which forbids namespaces and mounts, has services, names and the traffic`()
      async throws
    {
      try await Stage.play { stage in
        let source = try stage.folder.write("forbid.c", CallFilter.program)
        try await TestProcess.run(["gcc", "-o", stage.folder.path("forbid"), source])
        let session = try await stage.session(by: [stage.folder.path("forbid"), CallFilter.container])
        #expect(try await session.answer(of: "peer") == "the peer")
        let python = """
          python3 -c 'import urllib.request; print(urllib.request.urlopen("http://peer/").read().decode(), end="")'
          """
        #expect(try await session.output(python) == "the peer")
        try await session.takeTraffic()
        try await session.exit()
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
