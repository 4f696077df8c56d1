import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Rollout of a Deployment")
struct RolloutTests {
  static func deployment(
    wanted: Int64, observed: Int64, updated: Int64, total: Int64, available: Int64, condition: JSONValue? = nil
  ) -> KubeObject {
    [
      "spec": ["replicas": .int(wanted)],
      "status": [
        "observedGeneration": .int(observed), "updatedReplicas": .int(updated), "replicas": .int(total),
        "availableReplicas": .int(available), "conditions": .array(condition.map { [$0] } ?? []),
      ],
    ]
  }

  @Test(
    arguments: [
      (deployment(wanted: 2, observed: 4, updated: 2, total: 2, available: 2), Rollout.State.underWay),
      (deployment(wanted: 2, observed: 5, updated: 1, total: 3, available: 2), .underWay),
      (deployment(wanted: 2, observed: 5, updated: 2, total: 3, available: 3), .underWay),
      (deployment(wanted: 2, observed: 5, updated: 2, total: 2, available: 1), .underWay),
      (deployment(wanted: 2, observed: 5, updated: 2, total: 2, available: 2), .complete),
      (deployment(wanted: 0, observed: 6, updated: 0, total: 0, available: 0), .complete),
      (
        deployment(
          wanted: 1, observed: 5, updated: 0, total: 1, available: 1,
          condition: ["type": "ReplicaFailure", "status": "True", "message": "exceeded quota"]),
        .refused("exceeded quota")
      ),
    ])
  func `A rollout is complete once it is observed and every pod is new and available`(
    deployment: KubeObject, expected: Rollout.State
  ) {
    #expect(Rollout.state(of: deployment, generation: 5) == expected)
  }
}
