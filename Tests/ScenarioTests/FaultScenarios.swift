import DevrunPlan
import FaultProxy
import TestSupport
import Testing

/// The requests of a session, as a fault can meet them.
extension RequestPattern {
  fileprivate static let deployment = RequestPattern("PATCH", "deployments/app")
  /// The patch that puts the agent in the container's place: it alone raises the limit of the history.
  fileprivate static let swap = RequestPattern("PATCH", "deployments/app", containing: "2147483647")
  /// The patch that takes it away: it alone removes the record.
  fileprivate static let restore = RequestPattern("PATCH", "deployments/app", containing: "\"remove\"")
  fileprivate static let sessionPod = RequestPattern("POST", "pods")
  fileprivate static let upload = RequestPattern("POST", "configmaps", containing: "binaryData")
}

extension Scenarios {
  /// What fails between devrun and the API server. Each fault reports that it has occurred, so that nothing waits for a
  /// clock.
  @Suite("Faults")
  struct Faults {
    /// Plays a scenario with a proxy before the API server, and gives it the kubeconfig that leads there.
    private func play(
      changing changes: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
      _ scenario: (Stage, FaultProxy, _ kubeconfig: String) async throws -> Void
    ) async throws {
      try await Stage.play(changing: changes, sourceLocation: sourceLocation) { stage in
        let proxy = try await FaultProxy.start(before: stage.access)
        let result: Result<Void, any Error>
        do {
          let kubeconfig = try stage.folder.write("kubeconfig", proxy.kubeconfig, mode: 0o600)
          result = .success(try await scenario(stage, proxy, kubeconfig))
        } catch {
          result = .failure(error)
        }
        try await proxy.stop()
        try result.get()
      }
    }

    // MARK: - The start and the end

    /// Plays a session that takes the traffic at once, with faults that must all occur.
    private func playSession(
      _ faults: [(Fault, RequestPattern)], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      try await play(sourceLocation: sourceLocation) { stage, proxy, kubeconfig in
        var injections: [Injection] = []
        for (fault, pattern) in faults { injections.append(try await proxy.inject(fault, into: pattern, .once)) }
        let process = try stage.devrun(
          [
            "-v", "-n", stage.namespace, "-t", "deployment/app", "-p", "8080:\(stage.port)", "--take-over", "now", "--",
            "sh", "-c", "exit 7",
          ], kubeconfig: kubeconfig)
        let outcome = try await process.outcome()
        #expect(outcome.status == .exited(7), "\(outcome)", sourceLocation: sourceLocation)
        for (injection, (fault, pattern)) in zip(injections, faults) {
          #expect(injection.hits == 1, "\(fault) at \(pattern): \(outcome)", sourceLocation: sourceLocation)
        }
      }
    }

    @Test func `A session endures each failure that passes, from its start to its end`() async throws {
      try await playSession([
        (.answer(500), RequestPattern("GET", "deployments/app")), (.answer(500), .upload),
        (.answer(429, retryAfter: 1), .sessionPod), (.answer(500), .sessionPod), (.answer(401), .sessionPod),
        (.cut, .portForward()), (.answer(500), .portForward()), (.answer(403), .portForward()),
        (.answer(409), .swap), (.answer(500), .swap), (.answer(401), .swap), (.answer(403), .swap), (.cut, .swap),
        (.answer(429, retryAfter: 1), .restore), (.answer(409), .restore), (.answer(500), .restore),
        (.answer(401), .restore), (.answer(403), .restore), (.cut, .restore),
        (.answer(500), RequestPattern("DELETE", "pods/*")), (.answer(403), RequestPattern("DELETE", "configmaps/*")),
      ])
    }

    @Test func `A session whose writes lose their answers goes on, and leaves no trace`() async throws {
      try await playSession([
        (.loseAnswer, .upload), (.loseAnswer, .sessionPod), (.loseAnswer, .swap), (.loseAnswer, .restore),
        (.loseAnswer, RequestPattern("DELETE", "replicasets/*")), (.loseAnswer, RequestPattern("DELETE", "pods/*")),
        (.loseAnswer, RequestPattern("DELETE", "configmaps/*")),
      ])
    }

    @Test func `A swap that is not valid ends the start in the API server's words`() async throws {
      try await play { stage, proxy, kubeconfig in
        try await proxy.inject(.answer(422), into: .swap)
        let process = try stage.devrun(
          ["-n", stage.namespace, "-t", "deployment/app", "--take-over", "now", "--", "echo", "started"],
          kubeconfig: kubeconfig)
        let outcome = try await process.outcome()
        #expect(outcome.status == .exited(125), "\(outcome)")
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("deployments.apps \"app\" is invalid"), "\(outcome)")
      }
    }

    // MARK: - Mid-session

    /// Plays a session that has the traffic.
    private func playTraffic(
      changing changes: Bool = false, sourceLocation: SourceLocation = #_sourceLocation,
      _ body: (Stage, FaultProxy, Session) async throws -> Void
    ) async throws {
      try await play(changing: changes, sourceLocation: sourceLocation) { stage, proxy, kubeconfig in
        let session = try await stage.session(["-v"], kubeconfig: kubeconfig)
        try await session.takeTraffic()
        try await body(stage, proxy, session)
        try await session.exit(3)
      }
    }

    /// Checks that connections go both ways.
    private func expectTunnels(
      _ session: Session, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      #expect(try await session.answer(of: "peer") == "the peer", sourceLocation: sourceLocation)
      try await session.stage.answers.wait(for: Stage.localAnswer)
    }

    @Test func `Tunnels work while every request is refused, and all is watched again afterwards`() async throws {
      try await playTraffic { stage, proxy, session in
        for refusal in [Fault.answer(401), .answer(403), .answer(429, retryAfter: 1), .answer(500)] {
          let seen = session.process.errors.bytes.count
          let refused = try await proxy.inject(refusal, into: .all)
          let cut = try await proxy.inject(.cut, into: .watch())
          try await cut.hit()
          cut.lift()
          try await session.process.errors.wait(for: "waiting for the API server", after: seen)
          let start = stage.answers.count
          try await expectTunnels(session)
          #expect(!stage.answers.since(start).contains(Stage.clusterAnswer))
          let opened = try await proxy.inject(.pass, into: .watch("deployments"))
          refused.lift()
          try await session.process.errors.wait(for: "the API server answers again", after: seen)
          try await opened.hit()
        }
      }
    }

    /// What the session reports when it has taken a colleague's change of the probe back.
    private static let setAgain = "changed deployment/app; devrun's part is set again"

    /// Somebody applies the probe as it is in the team's manifest. What is reset three times within a minute is not fought.
    private func resetProbe(_ stage: Stage, by name: String) async throws {
      try await Colleague(stage: stage, name: name).resetProbe()
    }

    @Test(arguments: [[Fault.cut, .expire], [.answer(410), .reorder]])
    func `What a colleague changes is seen though the watch is disturbed`(disturbances: [Fault]) async throws {
      try await playTraffic(changing: true) { stage, proxy, session in
        for (number, disturbance) in disturbances.enumerated() {
          let seen = session.process.errors.bytes.count
          let disturbed = try await proxy.inject(disturbance, into: .watch("deployments"), .once)
          // Only a new watch can be refused.
          if case .answer = disturbance { try await proxy.inject(.cut, into: .watch("deployments"), .once) }
          try await resetProbe(stage, by: "colleague-\(number)")
          try await session.process.errors.wait(for: Self.setAgain, after: seen)
          try await disturbed.hit()
        }
        try await expectTunnels(session)
      }
    }

    @Test func `What a colleague changes is seen once the events of the watch arrive`() async throws {
      try await playTraffic(changing: true) { stage, proxy, session in
        let seen = session.process.errors.bytes.count
        let held = try await proxy.inject(.hold, into: .watch("deployments"))
        try await resetProbe(stage, by: "colleague")
        try await held.hit()
        let text = String(decoding: session.process.errors.bytes.dropFirst(seen), as: UTF8.self)
        #expect(!text.contains(Self.setAgain))
        held.lift()
        try await session.process.errors.wait(for: Self.setAgain, after: seen)
        try await expectTunnels(session)
      }
    }

    @Test func `A write that is refused in mid-session is repeated until it is done`() async throws {
      try await playTraffic(changing: true) { stage, proxy, session in
        for code in [403, 500] {
          let seen = session.process.errors.bytes.count
          let refused = try await proxy.inject(.answer(code), into: .deployment)
          try await resetProbe(stage, by: "colleague-\(code)")
          try await refused.hit(2)
          try await session.process.errors.wait(
            for: "devrun's part of deployment/app cannot be set again yet", after: seen)
          #expect(try await session.answer(of: "peer") == "the peer")
          refused.lift()
          try await session.process.errors.wait(for: Self.setAgain, after: seen)
        }
        try await expectTunnels(session)
      }
    }

    @Test func `Connections outlive port-forwards that stall, are cut, or are slow`() async throws {
      try await playTraffic { stage, proxy, session in
        let stalled = try await proxy.inject(.hold, into: .portForward())
        async let answer = session.answer(of: "peer")
        try await stalled.hit()
        stalled.lift()
        #expect(try await answer == "the peer")

        let seen = session.process.errors.bytes.count
        let cut = try await proxy.inject(.cut, into: .portForward())
        try await cut.hit()
        try await session.process.errors.wait(for: "broke; connecting again", after: seen)
        cut.lift()
        _ = try await session.answerOnceReachable(of: "peer")
        try await expectTunnels(session)

        let limit = try await proxy.inject(.limit(bytesPerSecond: 100_000), into: .portForward())
        try await expectTunnels(session)
        #expect(limit.hits > 0)
      }
    }
  }
}
