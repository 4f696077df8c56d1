import DevrunCore
import DevrunKube
import Testing

@testable import DevrunSession

@Suite("The pod that stands for all of a target")
struct PodSelectionTests {
  static func pod(
    _ name: String, uid: String? = nil, phase: String = "Running", ready: Bool = true, made: Int = 0,
    owner: String? = "ReplicaSet", ending: Bool = false
  ) -> KubeObject {
    var metadata: JSONValue = [
      "name": .string(name), "uid": .string(uid ?? name), "creationTimestamp": .string("2026-01-01T00:00:0\(made)Z"),
    ]
    if ending { metadata["deletionTimestamp"] = "2026-01-01T00:01:00Z" }
    if let owner {
      metadata["ownerReferences"] = [["kind": .string(owner), "name": "web-1", "uid": "r", "controller": true]]
    }
    return [
      "metadata": metadata,
      "status": [
        "phase": .string(phase), "conditions": [["type": "Ready", "status": .string(ready ? "True" : "False")]],
      ],
    ]
  }

  private func selection(_ pods: KubeObject...) -> PodSelection {
    var selection = PodSelection()
    selection.apply(.snapshot(pods))
    return selection
  }

  @Test func `A ready pod is preferred, and of those the youngest`() {
    var ready = selection(
      Self.pod("a", ready: false, made: 9), Self.pod("b", made: 1), Self.pod("c", made: 3), Self.pod("d", made: 2))
    #expect(ready.choose()?.name == "c")
    var unready = selection(Self.pod("a", ready: false, made: 2), Self.pod("b", ready: false, made: 1))
    #expect(unready.choose()?.name == "a")
  }

  @Test(
    arguments: [
      ("it is being deleted", pod("a", ending: true)), ("it has not begun", pod("a", phase: "Pending")),
      ("it has failed", pod("a", phase: "Failed")), ("it has ended", pod("a", phase: "Succeeded")),
      ("it has no controller", pod("a", owner: nil)), ("it is a Job's", pod("a", owner: "Job")),
    ])
  func `A pod is not chosen if it does not run or is not the Deployment's`(why: String, pod: KubeObject) {
    var selection = selection(pod)
    #expect(selection.choose() == nil, "\(why)")
  }

  @Test func `The same pod is chosen as long as it runs, and then another`() {
    var selection = selection(Self.pod("a"))
    #expect(selection.choose()?.name == "a")
    selection.apply(.added(Self.pod("b", made: 5)))
    #expect(selection.choose()?.name == "a")
    selection.apply(.modified(Self.pod("a", ending: true)))
    #expect(selection.choose()?.name == "b")
    selection.apply(.deleted(Self.pod("b")))
    #expect(selection.choose() == nil)
  }

  @Test func `A pod that is not ready any more is left for one that is, and for no other`() {
    var selection = selection(Self.pod("a"), Self.pod("b", ready: false, made: 5))
    #expect(selection.choose()?.name == "a")
    selection.apply(.modified(Self.pod("a", ready: false)))
    #expect(selection.choose()?.name == "a")
    selection.apply(.modified(Self.pod("b", made: 5)))
    #expect(selection.choose()?.name == "b")
    // And it stays there.
    selection.apply(.modified(Self.pod("a")))
    #expect(selection.choose()?.name == "b")
  }

  @Test func `A pod that was of no use is left out, and one of its name that was made anew is not`() {
    var selection = selection(Self.pod("a", uid: "1"))
    #expect(selection.choose(besides: ["1"]) == nil)
    selection.apply(.snapshot([Self.pod("a", uid: "2")]))
    #expect(selection.choose(besides: ["1"])?.uid == "2")
  }

  @Test func `A pod that is about to run may be waited for, and one that has ended may not`() {
    #expect(PodSelection.mayRun(Self.pod("a", phase: "Pending")))
    #expect(!PodSelection.mayRun(Self.pod("a", phase: "Failed")))
    #expect(!PodSelection.mayRun(Self.pod("a", ending: true)))
  }

  @Test(.timeLimit(.minutes(1)))
  func `A connection waits for a pod that comes, and ends its wait when it is cancelled`() async throws {
    let pods = TargetPods()
    let (events, changes) = AsyncThrowingStream.makeStream(of: WatchEvent.self)
    let following = Task { try await pods.follow(events) }
    async let waited = pods.pod(besides: ["old"])
    changes.yield(.snapshot([Self.pod("a", uid: "old")]))
    changes.yield(.added(Self.pod("b", ready: false)))
    #expect(try await waited.name == "b")
    let hopeless = Task { try await pods.pod(besides: ["old", "b"]) }
    hopeless.cancel()
    await #expect(throws: CancellationError.self) { try await hopeless.value }
    changes.finish()
    try await following.value
  }
}
