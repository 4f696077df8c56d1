import DevrunCore
import DevrunKube
import TestSupport
import Testing

extension Scenarios {
  /// What others do to the app while a session has its traffic.
  @Suite("Colleagues")
  struct Colleagues {
    @Test func `A colleague's scale succeeds, and stays after the session`() async throws {
      try await Stage.play(changing: true) { stage in
        let session = try await stage.session()
        try await session.takeTraffic()
        try await Colleague(stage: stage).scale(to: 2)
        try await stage.until {
          let status = try await stage.deployment().status
          return status["availableReplicas"]?.int == 2 ? nil : "there are not two pods: \(status)"
        }
        // Each of both pods leads here.
        let answers = try await stage.answers.wait(for: Stage.localAnswer, inARow: 20)
        #expect(!answers.contains(Stage.clusterAnswer))
        try await session.exit(3)
        try await stage.settled()
        #expect(try await stage.deployment().spec["replicas"] == 2)
        try await stage.answers.wait(for: Stage.clusterAnswer, inARow: 20)
      }
    }

    @Test func `A variable that a colleague sets in mid-session stays after the session`() async throws {
      try await Stage.play(changing: true) { stage in
        let before = try await stage.deployment()
        let session = try await stage.session()
        try await session.takeTraffic()
        try await Colleague(stage: stage).setVariable("ADDED", to: "here")
        try await stage.until {
          let deployment = try await stage.deployment()
          let (generation, status) = (deployment.generation, deployment.status)
          return status["observedGeneration"]?.int == generation && status["updatedReplicas"]?.int == 1
            && status["availableReplicas"]?.int == 1 && status["replicas"]?.int == 1 ? nil : "\(status)"
        }
        let answers = try await stage.answers.wait(for: Stage.localAnswer)
        #expect(!answers.contains(Stage.clusterAnswer))
        try await session.exit(3)
        try await stage.settled()

        var expected = before.template
        expected.containers[0].json["env"] = .array(
          before.template.containers[0].environment + [["name": "ADDED", "value": "here"]])
        #expect(try await stage.deployment().template == expected)
        try await stage.answers.wait(for: Stage.clusterAnswer)
      }
    }
  }
}

extension Stage {
  /// The app's Deployment as it is now.
  func deployment() async throws -> KubeObject {
    try await client.get(.deployments(in: namespace).named("app"))
  }
}
