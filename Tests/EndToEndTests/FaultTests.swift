import DevrunPlan
import FaultProxy
import TestSupport
import Testing

/// The writes of a session, as a fault can meet them.
extension RequestPattern {
  fileprivate static let deployment = RequestPattern("PATCH", "deployments/myapp1")
  /// The patch that puts the agent in the container's place: it alone raises the limit of the history.
  fileprivate static let swap = RequestPattern("PATCH", "deployments/myapp1", containing: "2147483647")
  /// The patch that takes it away: it alone removes something, the record.
  fileprivate static let restore = RequestPattern("PATCH", "deployments/myapp1", containing: "\"remove\"")
  fileprivate static let sessionPod = RequestPattern("POST", "pods")
}

extension EndToEnd.Disturbances {
  /// What fails between devrun and the API server while a session starts and while it ends.
  @Suite("Faults at the start and at the end")
  struct FaultsAtTheEnds {
    let cluster = Cluster.shared

    /// Runs a session that takes the traffic at once and ends, with faults that must all occur.
    private func session(
      _ faults: [(Fault, RequestPattern)], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
      try await cluster.withFaults { proxy, account in
        var injections: [Injection] = []
        for (fault, pattern) in faults { injections.append(try await proxy.inject(fault, into: pattern, .once)) }
        let outcome = try await cluster.leavingNoTrace {
          try await cluster.devrun(
            "-v", "-t", "deployment/myapp1", "--take-over", "now", "--", "sh", "-c", "exit 7", as: account)
        }
        #expect(outcome.status == .exited(7), "\(outcome)", sourceLocation: sourceLocation)
        for (injection, (fault, pattern)) in zip(injections, faults) {
          #expect(injection.hits == 1, "\(fault) at \(pattern): \(outcome)", sourceLocation: sourceLocation)
        }
      }
    }

    @Test func `A session endures each failure that passes, from its start to its end`() async throws {
      try await session([
        (.answer(500), RequestPattern("GET", "deployments/myapp1")),
        (.answer(500), RequestPattern("POST", "configmaps", containing: "binaryData")),
        (.answer(429, retryAfter: 1), .sessionPod), (.answer(500), .sessionPod),
        (.cut, .portForward()), (.answer(500), .portForward()), (.answer(403), .portForward()),
        (.answer(409), .swap), (.answer(500), .swap), (.answer(401), .swap), (.answer(403), .swap),
        (.answer(429, retryAfter: 1), .restore), (.answer(409), .restore), (.answer(500), .restore),
        (.answer(401), .restore), (.answer(403), .restore),
        (.answer(500), RequestPattern("DELETE", "pods/*")), (.answer(403), RequestPattern("DELETE", "configmaps/*")),
      ])
    }

    @Test func `A session whose writes lose their answers goes on, and leaves no trace`() async throws {
      try await session([
        (.loseAnswer, RequestPattern("POST", "configmaps", containing: "binaryData")),
        (.loseAnswer, .sessionPod), (.loseAnswer, .swap), (.loseAnswer, .restore),
        (.loseAnswer, RequestPattern("DELETE", "replicasets/*")), (.loseAnswer, RequestPattern("DELETE", "pods/*")),
        (.loseAnswer, RequestPattern("DELETE", "configmaps/*")),
      ])
    }

    @Test func `A swap that is not valid ends the start in the API server's words, and leaves no trace`() async throws {
      try await cluster.withFaults { proxy, account in
        try await proxy.inject(.answer(422), into: .swap)
        let outcome = try await cluster.leavingNoTrace {
          try await cluster.devrun(
            "-t", "deployment/myapp1", "--take-over", "now", "--", "echo", "started", as: account)
        }
        #expect(outcome.status == .exited(125), "\(outcome)")
        #expect(outcome.output == "")
        #expect(outcome.errors.contains("deployments.apps \"myapp1\" is invalid"), "\(outcome)")
      }
    }
  }

  /// What fails between devrun and the API server in mid-session.
  @Suite("Faults in mid-session", .serialized, .faultySession)
  struct FaultsInMidSession {
    let cluster = Cluster.shared
    let proxy = FaultProxy.shared
    let shell = SessionShell.shared

    private static let setAgain = "changed deployment/myapp1; devrun's part is set again"

    private var errors: Transcript { shell.process.errors }

    /// Checks that connections go both ways.
    private func expectTunnels(sourceLocation: SourceLocation = #_sourceLocation) async throws {
      let out = try await shell("curl -sS -m 20 http://myapp2/cgi-bin/peer")
      #expect(out.status == 0, "\(out)", sourceLocation: sourceLocation)
      let answer = try await cluster.kubectl.script(in: "client", "timeout 20 wget -qO- http://myapp1/")
      #expect(answer == "the app on this machine\n", sourceLocation: sourceLocation)
    }

    /// A colleague applies the manifest as it is, which resets the probes.
    private func apply() async throws { try await cluster.kubectl.apply(try cluster.manifest("myapp1")) }

    @Test(arguments: [Fault.answer(401), .answer(403), .answer(429, retryAfter: 1), .answer(500)])
    func `Tunnels work while every request is refused, and all is watched again afterwards`(
      refusal: Fault
    ) async throws {
      let seen = errors.bytes.count
      let refused = try await proxy.inject(refusal, into: .all)
      let cut = try await proxy.inject(.cut, into: .watch())
      try await cut.hit()
      cut.lift()
      try await errors.wait(for: "waiting for the API server", after: seen)
      try await expectTunnels()
      let opened = try await proxy.inject(.pass, into: .watch("deployments"))
      refused.lift()
      try await errors.wait(for: "the API server answers again", after: seen)
      try await opened.hit()
    }

    @Test(arguments: [Fault.cut, .expire, .answer(410), .reorder])
    func `What a colleague changes is seen though the watch is disturbed`(disturbance: Fault) async throws {
      let seen = errors.bytes.count
      let disturbed = try await proxy.inject(disturbance, into: .watch("deployments"), .once)
      // Only a new watch can be refused.
      if case .answer = disturbance { try await proxy.inject(.cut, into: .watch("deployments"), .once) }
      try await apply()
      try await errors.wait(for: Self.setAgain, after: seen)
      try await disturbed.hit()
      try await cluster.serves("wget -qO- http://myapp1/", "the app on this machine")
    }

    @Test func `What a colleague changes is seen once the events of the watch arrive`() async throws {
      let seen = errors.bytes.count
      let held = try await proxy.inject(.hold, into: .watch("deployments"))
      try await apply()
      try await held.hit()
      #expect(!errors.text.dropFirst(seen).contains(Self.setAgain))
      held.lift()
      try await errors.wait(for: Self.setAgain, after: seen)
    }

    @Test(arguments: [403, 500])
    func `A write that is refused in mid-session is repeated until it is done`(code: Int) async throws {
      let seen = errors.bytes.count
      let refused = try await proxy.inject(.answer(code), into: .deployment)
      try await apply()
      try await refused.hit(2)
      try await errors.wait(for: "devrun's part of deployment/myapp1 cannot be set again yet", after: seen)
      try await expectTunnels()
      refused.lift()
      try await errors.wait(for: Self.setAgain, after: seen)
    }

    @Test func `A new service is seen after the watch of services has expired`() async throws {
      let expired = try await proxy.inject(.expire, into: .watch("services"), .once)
      try await expired.hit()
      try await cluster.kubectl("expose", "deployment", "myapp2", "--name", "afterwards", "--port", "80")
      let answer = try await shell("until curl -sS -m 5 http://afterwards/cgi-bin/peer; do sleep 0.1; done")
      #expect(answer.status == 0)
      try await cluster.kubectl("delete", "service/afterwards")
    }

    @Test func `A connection through a stalled port-forward goes on once the bytes move again`() async throws {
      let stalled = try await proxy.inject(.hold, into: .portForward())
      async let reply = shell("curl -sS -m 30 http://myapp2/cgi-bin/peer")
      try await stalled.hit()
      stalled.lift()
      #expect(try await reply.status == 0)
      try await expectTunnels()
    }

    @Test func `A port-forward that is cut is opened again, and connections wait for it`() async throws {
      let seen = errors.bytes.count
      let cut = try await proxy.inject(.cut, into: .portForward())
      try await cut.hit()
      try await errors.wait(for: "broke; connecting again", after: seen)
      cut.lift()
      try await expectTunnels()
    }

    @Test func `A slow port-forward brings all bytes, and lets others pass meanwhile`() async throws {
      let limit = try await proxy.inject(.limit(bytesPerSecond: 250_000), into: .portForward())
      let digests = try await cluster.kubectl.script(
        in: "client",
        """
        wget -qO- http://myapp1/bytes/400000 | sha256sum | cut -d' ' -f1 >/tmp/slow &
        timeout 20 wget -qO- http://myapp1/ && wait && cat /tmp/slow && wget -qO- http://myapp1/digest/400000
        rm /tmp/slow
        """
      ).split(separator: "\n")
      limit.lift()
      try #require(digests.count == 3, "\(digests)")
      #expect(digests[0] == "the app on this machine")
      #expect(digests[1] == digests[2], "the download differs")
      #expect(limit.hits > 0)
    }

    @Test func `A session outlives an API server that is away for a while`() async throws {
      let seen = errors.bytes.count
      try await proxy.goAway()
      try await errors.wait(for: "broke; connecting again", after: seen)
      try await proxy.comeBack()
      try await expectTunnels()
    }
  }
}
