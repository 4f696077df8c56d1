import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

@Suite("The controller of Deployments") struct ControlDeploymentTests {
  private static let revision = "deployment.kubernetes.io/revision"

  private static func conditions(_ deployment: KubeObject) -> [String] {
    (deployment.status["conditions"]?.array ?? []).map {
      "\($0["type"]?.string ?? "") \(StatusCondition($0).value) \(StatusCondition($0).reason)"
    }
  }

  @Test func `A new Deployment gets one ReplicaSet with its name, hash, labels and revision`() throws {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.step()
    let set = try #require(rollout.sets.first)
    let hash = try #require(set.labels["pod-template-hash"])
    #expect(set.name == "web-\(hash)")
    #expect((1...10).contains(hash.count))
    #expect(set.template.labels == ["app": "web", "pod-template-hash": hash])
    #expect(set.spec["selector"]?["matchLabels"]?.stringMap == set.template.labels)
    #expect(set.controller?.uid == "d")
    #expect(set.desiredReplicas == 3)
    #expect(
      set.annotations == [
        Self.revision: "1", "deployment.kubernetes.io/desired-replicas": "3",
        "deployment.kubernetes.io/max-replicas": "4",
      ])
    #expect(rollout.events == ["Scaled up replica set \(set.name) from 0 to 3"])
    #expect(rollout.deployment.annotations[Self.revision] == "1")
  }

  @Test func `Conditions follow the rollout in the order and words of Kubernetes`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.step()
    #expect(
      Self.conditions(rollout.deployment) == [
        "Progressing True NewReplicaSetCreated", "Available False MinimumReplicasUnavailable",
      ])
    rollout.settle()
    #expect(
      Self.conditions(rollout.deployment) == [
        "Available True MinimumReplicasAvailable", "Progressing True NewReplicaSetAvailable",
      ])
    let name = rollout.sets.first?.name ?? ""
    #expect(
      rollout.deployment.message(ofCondition: "Progressing", being: "True")
        == "ReplicaSet \"\(name)\" has successfully progressed.")
    rollout.set(image: "web:2")
    rollout.step()
    // Seen on a cluster: a new rollout does not take the old pods' availability away.
    #expect(
      Self.conditions(rollout.deployment) == [
        "Available True MinimumReplicasAvailable", "Progressing True NewReplicaSetCreated",
      ])
  }

  @Test func `The status counts what the ReplicaSets count`() throws {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    #expect(
      rollout.deployment.status.object?.filter { $0.key != "conditions" } == [
        "observedGeneration": 1, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3, "availableReplicas": 3,
      ])
    rollout.set(image: "web:2")
    rollout.step()
    #expect(
      rollout.deployment.status.object?.filter { $0.key != "conditions" } == [
        "observedGeneration": 2, "replicas": 3, "readyReplicas": 3, "availableReplicas": 3, "unavailableReplicas": 1,
      ])
  }

  @Test(
    arguments: [
      // Replicas, surge, unavailable, and the sizes (old, new) after each step that changes one: what a cluster was seen
      // to do.
      (3, "25%", "25%", [[3, 1], [2, 1], [2, 2], [1, 2], [1, 3], [0, 3]]),
      (2, 1, 0, [[2, 1], [1, 1], [1, 2], [0, 2]]),
      (2, 0, 1, [[1, 0], [1, 1], [0, 1], [0, 2]]),
      (1, 0, 0, [[0, 0], [0, 1]]),
      (4, "50%", "50%", [[2, 2], [2, 4], [0, 4]]),
      (2, "100%", 0, [[2, 2], [0, 2]]),
    ] as [(Int, JSONValue, JSONValue, [[Int]])])
  func `A rollout stays within its limits`(replicas: Int, surge: JSONValue, unavailable: JSONValue, steps: [[Int]]) {
    var rollout = SimulatedRollout(
      ControlObjects.deployment(replicas: replicas, surge: surge, unavailable: unavailable))
    rollout.settle()
    rollout.set(image: "web:2")
    let seen = rollout.settle().map { [$0["web:1"] ?? 0, $0["web:2"] ?? 0] }
    let limits = RolloutLimits(of: rollout.deployment)
    let totals = seen.map { $0[0] + $0[1] }
    #expect(totals.max() ?? 0 <= replicas + limits.surge)
    #expect(totals.min() ?? 0 >= replicas - limits.unavailable)
    #expect(seen == steps)
  }

  @Test(
    arguments: [
      ("25%", "25%", 3, 1, 0), ("25%", "25%", 8, 2, 2), (0, 0, 5, 0, 1), ("0%", "10%", 5, 0, 1), (2, 9, 3, 2, 3),
      ("x", 1, 2, 0, 1), (1, 0, 0, 1, 0),
    ] as [(JSONValue, JSONValue, Int, Int, Int)])
  func `Surge is rounded up and unavailability down`(
    surge: JSONValue, unavailable: JSONValue, replicas: Int, up: Int, down: Int
  ) {
    let limits = RolloutLimits(
      of: ControlObjects.deployment(replicas: replicas, surge: surge, unavailable: unavailable))
    #expect(limits.surge == up)
    #expect(limits.unavailable == down)
  }

  @Test func `Going back to an old template uses its ReplicaSet and gives it the next revision`() throws {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.set(image: "web:2")
    rollout.settle()
    rollout.set(image: "web:1")
    rollout.settle()
    #expect(rollout.sets.count == 2)
    let set = try #require(rollout.set(ofImage: "web:1"))
    #expect(set.annotations[Self.revision] == "3")
    #expect(set.annotations["deployment.kubernetes.io/revision-history"] == "1")
    #expect(rollout.deployment.annotations[Self.revision] == "3")
    #expect(rollout.sizes == ["web:1": 3, "web:2": 0])
  }

  @Test func `A revision that somebody lowers stays as long as it is the greatest`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.set(image: "web:2")
    rollout.settle()
    rollout.set(image: "web:1")
    rollout.settle()
    // As after a redirect: the agent's ReplicaSet is deleted, and the app's has its own number again.
    rollout.sets.removeAll { $0.template.containers.first?.image == "web:2" }
    rollout.sets[0].annotations[Self.revision] = "1"
    rollout.settle()
    #expect(rollout.sets[0].annotations[Self.revision] == "1")
    #expect(rollout.deployment.annotations[Self.revision] == "1")
  }

  @Test func `ReplicaSets of a template that differs in nothing that counts are the present one`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.deployment.spec["template"]?["spec"]?["volumes"] = []
    rollout.deployment.spec["template"]?["metadata"]?["creationTimestamp"] = .null
    rollout.settle()
    #expect(rollout.sets.count == 1)
  }

  @Test func `A name that another ReplicaSet has is passed over`() throws {
    let deployment = ControlObjects.deployment()
    let name = "web-\(PodTemplate.hash(of: deployment.template, collisions: 0))"
    let plan = DeploymentPlan(
      DeploymentPlan.Situation(deployment: deployment, sets: [], otherNames: [name], now: ControlObjects.time))
    guard case .create(_, let set)? = plan.actions.first else {
      Issue.record("no ReplicaSet is made")
      return
    }
    #expect(set.name == "web-\(PodTemplate.hash(of: deployment.template, collisions: 1))")
    #expect(set.name != name)
    #expect(plan.deployment.status["collisionCount"] == 1)
  }

  @Test func `What is not available goes first, whatever its template`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.brokenImage = "web:2"
    rollout.set(image: "web:2")
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 3, "web:2": 1])
    rollout.set(image: "web:3")
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 0, "web:2": 0, "web:3": 3])
  }

  @Test func `A rollout that does not go on in time fails, and is looked at again at that time`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.brokenImage = "web:2"
    rollout.set(image: "web:2")
    rollout.settle()
    let rest = rollout.plan.lookAgainAfter ?? 0
    #expect((500...600).contains(rest))
    rollout.now.addTimeInterval(rest + 1)
    rollout.settle()
    #expect(Self.conditions(rollout.deployment).contains("Progressing False ProgressDeadlineExceeded"))
    #expect(rollout.plan.lookAgainAfter == nil)
  }

  @Test func `A Deployment that is scaled gives its one ReplicaSet the number`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.scale(to: 1)
    rollout.settle()
    let set = rollout.sets[0]
    #expect(set.desiredReplicas == 1)
    #expect(set.annotations["deployment.kubernetes.io/desired-replicas"] == "1")
    #expect(set.annotations["deployment.kubernetes.io/max-replicas"] == "2")
    #expect(rollout.events.last == "Scaled down replica set \(set.name) from 3 to 1")
    rollout.scale(to: 0)
    rollout.settle()
    #expect(rollout.deployment.status["replicas"] == nil)
    rollout.scale(to: 2)
    rollout.settle()
    #expect(rollout.deployment.status["availableReplicas"] == 2)
  }

  @Test func `A Deployment that is scaled amid a rollout divides the number by the present sizes`() {
    var rollout = SimulatedRollout(ControlObjects.deployment(replicas: 10, surge: 3, unavailable: 2))
    rollout.settle()
    rollout.brokenImage = "web:2"
    rollout.set(image: "web:2")
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 8, "web:2": 5])
    rollout.scale(to: 15)
    rollout.step()
    // The example of the documentation on proportional scaling.
    #expect(rollout.sizes == ["web:1": 11, "web:2": 7])
  }

  @Test func `A paused Deployment scales, and rolls out once it is resumed`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    rollout.deployment.spec["paused"] = true
    rollout.set(image: "web:2")
    rollout.settle()
    #expect(rollout.sets.count == 1)
    #expect(Self.conditions(rollout.deployment).contains("Progressing Unknown DeploymentPaused"))
    rollout.scale(to: 2)
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 2])
    rollout.deployment.spec["paused"] = nil
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 0, "web:2": 2])
    #expect(Self.conditions(rollout.deployment).contains("Progressing True NewReplicaSetAvailable"))
  }

  @Test func `Recreate waits for the last old pod before it makes a new one`() {
    var deployment = ControlObjects.deployment()
    deployment.spec["strategy"] = ["type": "Recreate"]
    var rollout = SimulatedRollout(deployment)
    rollout.settle()
    #expect(rollout.sets[0].annotations["deployment.kubernetes.io/max-replicas"] == "3")
    var leaving = ControlObjects.pod("web-1", owner: rollout.sets[0].uid)
    leaving.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    rollout.pods = [leaving]
    rollout.set(image: "web:2")
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 0])
    rollout.pods = []
    rollout.settle()
    #expect(rollout.sizes == ["web:1": 0, "web:2": 3])
  }

  @Test func `ReplicaSets beyond the history limit go, the lowest revisions first`() {
    var deployment = ControlObjects.deployment()
    deployment.spec["revisionHistoryLimit"] = 2
    var rollout = SimulatedRollout(deployment)
    for number in 1...5 {
      rollout.set(image: "web:\(number)")
      rollout.settle()
    }
    #expect(Set(rollout.sizes.keys) == ["web:3", "web:4", "web:5"])
  }

  @Test func `Annotations of the Deployment are copied, those of tools are not`() {
    var deployment = ControlObjects.deployment()
    deployment.annotations = [
      "team": "a", "kubectl.kubernetes.io/last-applied-configuration": "{}", "deployment.kubernetes.io/revision": "7",
    ]
    var rollout = SimulatedRollout(deployment)
    rollout.settle()
    #expect(rollout.sets[0].annotations["team"] == "a")
    #expect(rollout.sets[0].annotations["kubectl.kubernetes.io/last-applied-configuration"] == nil)
    #expect(rollout.sets[0].annotations[Self.revision] == "1")
  }

  @Test func `A Deployment on its way out starts nothing`() {
    var deployment = ControlObjects.deployment()
    deployment.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    var rollout = SimulatedRollout(deployment)
    rollout.settle()
    #expect(rollout.sets.isEmpty)
  }

  @Test func `A Deployment at rest is left alone`() {
    var rollout = SimulatedRollout(ControlObjects.deployment())
    rollout.settle()
    #expect(rollout.plan.actions.isEmpty)
  }
}
