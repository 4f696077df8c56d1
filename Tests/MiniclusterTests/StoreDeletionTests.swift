import DevrunCore
import DevrunKube
import Foundation
import Testing

@testable import Minicluster

@Suite("Deletion in the minicluster's object store")
struct StoreDeletionTests {
  private let store = ObjectStore(clock: { Date(timeIntervalSince1970: 1_700_000_000) })

  @discardableResult
  private func runningPod(_ name: String = "web") throws -> KubeObject {
    try store.create(StoreFixture.pod(name), of: .pod, by: "test")
    return try store.update(.pod, in: "default", named: name, by: "test") { $0.spec["nodeName"] = "minicluster" }
  }

  private func delete(_ grace: Int? = nil) throws -> KubeObject {
    try store.delete(.pod, in: "default", named: "web", ObjectStore.Deletion(gracePeriodSeconds: grace))
  }

  @Test func `A pod that runs nowhere goes at once`() throws {
    try store.create(StoreFixture.pod("web"), of: .pod, by: "test")
    let last = try delete()
    #expect(!last.isTerminating)
    #expect(store.object(.pod, in: "default", named: "web") == nil)
    #expect(#expect(throws: APIFailure.self) { try delete() }?.status.message == "pods \"web\" not found")
  }

  @Test(arguments: ["Succeeded", "Failed"])
  func `A pod that has ended goes at once`(_ phase: String) throws {
    try runningPod()
    try store.update(.pod, in: "default", named: "web", part: .status, by: "test") {
      $0.json["status"] = ["phase": .string(phase)]
    }
    _ = try delete()
    #expect(store.object(.pod, in: "default", named: "web") == nil)
  }

  @Test func `A pod that runs gets its grace, which a later deletion can only shorten`() throws {
    try runningPod()
    let terminating = try delete()
    #expect(terminating.metadata["deletionTimestamp"] == "2023-11-14T22:13:50Z")
    #expect(terminating.metadata["deletionGracePeriodSeconds"] == 30)
    #expect(try delete(60) == terminating)
    let shortened = try delete(5)
    #expect(shortened.metadata["deletionTimestamp"] == "2023-11-14T22:13:25Z")
    #expect(shortened.metadata["deletionGracePeriodSeconds"] == 5)
    _ = try delete(0)
    #expect(store.object(.pod, in: "default", named: "web") == nil)
  }

  @Test func `An object with finalizers goes with the last of them`() throws {
    var pod = StoreFixture.pod("web")
    pod.finalizers = ["example.com/a", "example.com/b"]
    try store.create(pod, of: .pod, by: "test")
    let terminating = try delete()
    #expect(terminating.isTerminating)
    try store.update(.pod, in: "default", named: "web", by: "test") { $0.finalizers = ["example.com/b"] }
    #expect(store.object(.pod, in: "default", named: "web") != nil)
    try store.update(.pod, in: "default", named: "web", by: "test") { $0.finalizers = [] }
    #expect(store.object(.pod, in: "default", named: "web") == nil)
  }

  @Test func `A running pod with finalizers keeps its grace when the finalizers are gone`() throws {
    try runningPod()
    try store.update(.pod, in: "default", named: "web", by: "test") { $0.finalizers = ["example.com/a"] }
    _ = try delete()
    try store.update(.pod, in: "default", named: "web", by: "test") { $0.finalizers = [] }
    #expect(store.object(.pod, in: "default", named: "web")?.isTerminating == true)
    _ = try delete(0)
    #expect(store.object(.pod, in: "default", named: "web") == nil)
  }

  @Test(arguments: [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
  func `What an object owns is looked after first if the deletion asks for it`(
    _ policy: String, _ finalizer: String
  ) throws {
    let made = try store.create(StoreFixture.deployment("web"), of: .deployment, by: "test")
    let terminating = try store.delete(
      .deployment, in: "default", named: "web", ObjectStore.Deletion(propagationPolicy: policy))
    #expect(terminating.finalizers == [finalizer])
    #expect(terminating.isTerminating)
    #expect(terminating.generation == made.generation + 1)
  }

  @Test func `A deletion for another uid or version is refused`() throws {
    let pod = try runningPod()
    let byUID = #expect(throws: APIFailure.self) {
      try store.delete(.pod, in: "default", named: "web", ObjectStore.Deletion(uid: "1"))
    }
    #expect(
      byUID?.status.message == "Operation cannot be fulfilled on pods \"web\": Precondition failed: UID in "
        + "precondition: 1, UID in object meta: \(pod.uid ?? "")")
    let byVersion = #expect(throws: APIFailure.self) {
      try store.delete(.pod, in: "default", named: "web", ObjectStore.Deletion(resourceVersion: "1"))
    }
    #expect(byVersion?.status.code == 409)
    try store.delete(.pod, in: "default", named: "web", ObjectStore.Deletion(uid: pod.uid))
  }
}
