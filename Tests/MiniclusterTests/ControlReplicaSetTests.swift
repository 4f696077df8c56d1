import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

@Suite("The controller of ReplicaSets") struct ControlReplicaSetTests {
  private static func set(replicas: Int, minReadySeconds: Int? = nil) -> KubeObject {
    var set: KubeObject = [
      "apiVersion": "apps/v1", "kind": "ReplicaSet",
      "metadata": ["name": "web-1", "namespace": "shop", "uid": "web-1", "generation": 2],
      "spec": [
        "replicas": .int(Int64(replicas)), "selector": ["matchLabels": ["app": "web"]],
        "template": ControlObjects.template(image: "web:1"),
      ],
    ]
    set.spec["minReadySeconds"] = minReadySeconds.map { .int(Int64($0)) }
    return set
  }

  private static func pod(
    _ name: String, isReady: Bool = true, readySince: Double = 0, created: Double = 0
  ) -> KubeObject {
    ControlObjects.pod(name, isReady: isReady, readySince: readySince, created: created, owner: "web-1")
  }

  private static func plan(_ set: KubeObject, _ pods: [KubeObject], at seconds: Double = 100) -> ReplicaSetPlan {
    ReplicaSetPlan(of: set, pods: pods, now: ControlObjects.time.addingTimeInterval(seconds))
  }

  private static func deleted(_ plan: ReplicaSetPlan) -> [String] {
    guard case .delete(let pods)? = plan.change else { return [] }
    return pods.map(\.name)
  }

  @Test func `Missing pods are made of the template, with a name to generate and an owner`() throws {
    var set = Self.set(replicas: 3)
    set.spec["template"]?["metadata"]?["annotations"] = ["a": "b"]
    let plan = Self.plan(set, [Self.pod("a")])
    guard case .create(let count, let pod)? = plan.change else {
      Issue.record("nothing is made")
      return
    }
    #expect(count == 2)
    #expect(pod.metadata["generateName"] == "web-1-")
    #expect(pod.labels == ["app": "web"])
    #expect(pod.annotations == ["a": "b"])
    #expect(pod.namespace == "shop")
    #expect(
      pod.metadata["ownerReferences"] == [
        [
          "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web-1", "uid": "web-1", "controller": true,
          "blockOwnerDeletion": true,
        ]
      ])
  }

  @Test func `What has ended, is on its way out, is another's or has other labels does not count`() {
    var ended = Self.pod("ended")
    ended.setStatus("phase", "Failed")
    var leaving = Self.pod("leaving")
    leaving.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    let foreign = ControlObjects.pod("foreign", owner: "web-2")
    var relabelled = Self.pod("relabelled")
    relabelled.labels = ["app": "other"]
    let plan = Self.plan(Self.set(replicas: 1), [ended, leaving, foreign, relabelled, Self.pod("own")])
    #expect(plan.change == nil)
    #expect(plan.active.map(\.name) == ["own"])
  }

  @Test func `Pods go in the order of what serves least`() {
    var unscheduled = Self.pod("unscheduled")
    unscheduled.spec["nodeName"] = nil
    var pending = Self.pod("pending", isReady: false)
    pending.setStatus("phase", "Pending")
    let notReady = Self.pod("not-ready", isReady: false)
    var cheap = Self.pod("cheap")
    cheap.annotations["controller.kubernetes.io/pod-deletion-cost"] = "-5"
    let readyLater = Self.pod("ready-later", readySince: 50)
    var restarted = Self.pod("restarted")
    restarted.setStatus("containerStatuses", [["name": "web", "restartCount": 3]])
    let newer = Self.pod("newer", created: 20)
    let old = Self.pod("old")
    let order = [unscheduled, pending, notReady, cheap, readyLater, restarted, newer, old]
    for count in 1...order.count {
      #expect(
        Self.deleted(Self.plan(Self.set(replicas: order.count - count), order.shuffled()))
          == order.prefix(count).map(\.name))
    }
  }

  @Test func `The status counts pods that are ready and available`() throws {
    let pods = [Self.pod("a"), Self.pod("b", isReady: false), Self.pod("c", readySince: 95)]
    let plan = Self.plan(Self.set(replicas: 3, minReadySeconds: 10), pods)
    let status = try #require(plan.withStatus(failure: nil)).status
    #expect(
      status.object == [
        "replicas": 3, "fullyLabeledReplicas": 3, "readyReplicas": 2, "availableReplicas": 1, "observedGeneration": 2,
      ])
    #expect(plan.lookAgainAfter == 5)
    let later = Self.plan(Self.set(replicas: 3, minReadySeconds: 10), pods, at: 105)
    #expect(later.withStatus(failure: nil)?.status["availableReplicas"] == 2)
    #expect(later.lookAgainAfter == nil)
  }

  @Test func `A status that is right is not written`() throws {
    let plan = Self.plan(Self.set(replicas: 1), [Self.pod("a")])
    let written = try #require(plan.withStatus(failure: nil))
    #expect(Self.plan(written, [Self.pod("a")]).withStatus(failure: nil) == nil)
  }

  @Test func `A failure is a condition until there is none any more`() throws {
    let plan = Self.plan(Self.set(replicas: 1), [])
    let failed = try #require(
      plan.withStatus(failure: ReplicaSetPlan.Failure(reason: "FailedCreate", message: "no quota")))
    #expect(failed.condition("ReplicaFailure")?.reason == "FailedCreate")
    #expect(failed.message(ofCondition: "ReplicaFailure", being: "True") == "no quota")
    let mended = try #require(Self.plan(failed, [Self.pod("a")]).withStatus(failure: nil))
    #expect(mended.condition("ReplicaFailure") == nil)
  }

  @Test func `A ReplicaSet on its way out makes no pods`() {
    var set = Self.set(replicas: 1)
    set.metadata["deletionTimestamp"] = "2030-01-01T00:00:00Z"
    #expect(Self.plan(set, []).change == nil)
  }
}
