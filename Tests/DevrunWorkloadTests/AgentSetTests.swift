import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("ReplicaSets of a session")
struct AgentSetTests {
  private static func set(_ name: String, _ created: String, revision: String?) -> KubeObject {
    var set: KubeObject = ["metadata": ["name": .string(name), "creationTimestamp": .string(created)]]
    if let revision { set.annotations[DeploymentRedirect.revision] = revision }
    return set
  }

  /// In the order in which the API server lists them: by their names, which says nothing.
  @Test(
    arguments: [
      ([("web-5", "2026-01-01T10:00:09Z", "4"), ("web-7", "2026-01-01T10:00:01Z", "3")], "web-7"),
      ([("web-5", "2026-01-01T10:00:01Z", "3"), ("web-7", "2026-01-01T10:00:09Z", "4")], "web-5"),
      // A colleague undid their own change: the session's first ReplicaSet is the newest revision again.
      ([("web-5", "2026-01-01T10:00:09Z", "4"), ("web-7", "2026-01-01T10:00:01Z", "5")], "web-7"),
      // Both were made within a second.
      ([("web-5", "2026-01-01T10:00:01Z", "10"), ("web-7", "2026-01-01T10:00:01Z", "9")], "web-7"),
    ] as [([(String, String, String)], String)])
  func `What devrun itself wrote is in the oldest of the session's ReplicaSets`(
    sets: [(String, String, String)], expected: String
  ) {
    #expect(DeploymentRestore.first(of: sets.map { Self.set($0, $1, revision: $2) })?.name == expected)
  }

  @Test func `There is no first ReplicaSet where the controller has made none yet`() {
    #expect(DeploymentRestore.first(of: []) == nil)
  }
}
