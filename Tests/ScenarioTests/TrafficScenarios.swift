import DevrunCore
import DevrunPlan
import TestSupport
import Testing

extension Scenarios {
  /// How a session starts and ends, and when the cluster's traffic comes to it.
  @Suite("Traffic")
  struct Traffic {
    @Test func `A session with the traffic from the start ends as its command does`() async throws {
      try await Stage.play { stage in
        let session = try await stage.session(["--take-over", "now"])
        try await session.takeTraffic()
        let start = stage.answers.count
        try await session.exit(7)
        try await stage.answers.wait(for: Stage.clusterAnswer)
        #expect(stage.answers.since(start).count > 0)
      }
    }

    @Test func `A command sees the container's environment and files`() async throws {
      try await Stage.play { stage in
        let session = try await stage.session()
        #expect(try await session.output("echo $COLOUR, $PASSWORD") == "green, correct horse")
        #expect(try await session.output("cat /srv/secret/password") == "correct horse")
        #expect(try await session.output("cat /srv/whitelist/whitelist") == "10.0.0.1\n10.0.0.2")
        #expect(try await session.output("echo $POD_NAME").hasPrefix("app-devrun-"))
        try await session.exit()
      }
    }

    @Test func `A command that never listens is noticed by nobody`() async throws {
      try await Stage.play { stage in
        let before = try await stage.versions()
        let start = stage.answers.count
        let session = try await stage.session()
        let during = try await stage.versions()
        for (name, version) in before { #expect(during[name] == version, "\(name)") }
        for name in during.keys where before[name] == nil {
          #expect(name.wholeMatch(of: /(ConfigMap\/devrun-\w{8}-.+|Pod\/app-devrun-\w{8})/) != nil, "\(name) is new")
        }
        try await session.exit(4)
        try await stage.settled()
        #expect(try await stage.versions() == before)
        try await stage.answers.wait(for: Stage.clusterAnswer)
        #expect(stage.answers.since(start, otherThan: Stage.clusterAnswer) == [])
      }
    }

    @Test func `The cluster's app serves until a command listens, and again after its end`() async throws {
      try await Stage.play { stage in
        let start = stage.answers.count
        let session = try await stage.session()
        try await stage.answers.wait(for: Stage.clusterAnswer)
        #expect(stage.answers.since(start, otherThan: Stage.clusterAnswer) == [], "nothing listens yet")

        try await session.serve()
        try await stage.answers.wait(for: Stage.localAnswer)
        let missing = stage.answers.since(start, otherThan: Stage.clusterAnswer, Stage.localAnswer)
        #expect(missing.count <= 1, "\(missing)")

        // The traffic stays here while the server is started anew.
        _ = try await session.output("kill $!; wait $! 2>/dev/null || true")
        let stopped = stage.answers.count
        try await session.takeTraffic()
        #expect(!stage.answers.since(stopped).contains(Stage.clusterAnswer))

        try await session.exit(5)
        try await stage.answers.wait(for: Stage.clusterAnswer)
      }
    }
  }
}
