import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Places of records")
struct RecordPlacesTests {
  private static func record(_ session: String, holder: String = "me@laptop") -> String {
    """
    {"version":2,"session":"\(session)","holder":"\(holder)","since":"t","container":"app","template":{},"applied":{},\
    "hadAnnotations":true,"configMaps":[]}
    """
  }

  static func deployment(_ name: String, _ record: String? = nil) -> KubeObject {
    object("Deployment", name, record, owner: nil)
  }

  private static func object(
    _ kind: String, _ name: String, _ record: String?, owner: String?, session: String? = nil, created: String = "1"
  ) -> KubeObject {
    var object: KubeObject = [
      "kind": .string(kind), "metadata": ["name": .string(name), "uid": .string("uid-\(name)")], "spec": [:],
    ]
    object.metadata["creationTimestamp"] = .string(created)
    if let record { object.annotations = [OriginalRecord.annotation: record] }
    if let owner {
      object.metadata["ownerReferences"] = [
        ["kind": "Deployment", "name": "web", "uid": .string(owner), "controller": true]
      ]
    }
    if let session { object.template = ["metadata": ["annotations": [SessionMark.key: .string(session)]]] }
    return object
  }

  private static func set(
    _ name: String, _ record: String?, owner: String = "uid-web", session: String?, created: String = "1"
  ) -> KubeObject {
    object("ReplicaSet", name, record, owner: owner, session: session, created: created)
  }

  private static func map(_ session: String, _ record: String?, owner: String) -> KubeObject {
    var map = object("ConfigMap", DeploymentRestore.recordName(session), record, owner: owner)
    map.labels = [SessionMark.key: session, DeploymentRestore.recordLabel: "original"]
    return map
  }

  /// A ConfigMap that has the label of records, and no more of what devrun gives them.
  private static func labelled(_ name: String, _ record: String) -> KubeObject {
    var map = object("ConfigMap", name, record, owner: "uid-web")
    map.labels = [DeploymentRestore.recordLabel: "original"]
    return map
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var deployment = RecordPlacesTests.deployment("web")
    var replicaSets: [KubeObject] = []
    var configMaps: [KubeObject] = []
    var expected: [String]
    var unreadable = 0
  }

  private static let cases: [Case] = [
    Case(testDescription: "nowhere", replicaSets: [set("web-1", nil, session: nil)], expected: []),
    Case(
      testDescription: "on the Deployment, which has the newest", deployment: deployment("web", record("s1")),
      replicaSets: [set("web-1", record("s1", holder: "old"), session: "s1")],
      configMaps: [map("s1", record("s1", holder: "old"), owner: "uid-web")], expected: ["s1 me@laptop"]),
    Case(
      testDescription: "on the session's newest ReplicaSet",
      replicaSets: [
        set("web-1", record("s1", holder: "old"), session: "s1"),
        set("web-2", record("s1"), session: "s1", created: "2"),
      ], expected: ["s1 me@laptop"]),
    Case(
      testDescription: "a copy on the team's ReplicaSet is a trace",
      replicaSets: [set("web-1", record("s1"), session: nil), set("web-2", record("s1"), session: "s2")], expected: []),
    Case(
      testDescription: "of two sessions", deployment: deployment("web", record("s2")),
      configMaps: [map("s1", record("s1"), owner: "uid-web")],
      expected: ["s2 me@laptop", "s1 me@laptop"]),
    Case(
      testDescription: "a Deployment that was made anew has none of the old one's",
      replicaSets: [set("web-1", record("s1"), owner: "uid-old", session: "s1")],
      configMaps: [map("s1", record("s1"), owner: "uid-old")], expected: []),
    Case(
      testDescription: "in a ConfigMap that devrun did not make",
      configMaps: [
        labelled("m", record("s1")), labelled("devrun-s1-record", record("s1")),
        map("s2", record("s1"), owner: "uid-web"),
      ], expected: []),
    Case(
      testDescription: "one that cannot be read does not hide another",
      replicaSets: [set("web-1", "nonsense", session: "s1")],
      configMaps: [map("s1", record("s1"), owner: "uid-web")], expected: ["s1 me@laptop"], unreadable: 1),
  ]

  @Test(arguments: cases) func `The records of a Deployment are found wherever they are`(_ row: Case) {
    let places = DeploymentRestore.Places(
      deployment: row.deployment, replicaSets: row.replicaSets, configMaps: row.configMaps)
    let (readable, unreadable) = places.records
    #expect(readable.map { "\($0.session) \($0.holder)" } == row.expected)
    #expect(unreadable.count == row.unreadable)
  }

  @Test func `A record alone does not show that a session changed the Deployment`() {
    func shows(_ deployment: KubeObject, _ sets: [KubeObject] = [], _ maps: [KubeObject] = []) -> Bool {
      DeploymentRestore.Places(deployment: deployment, replicaSets: sets, configMaps: maps).show(changesBy: "s1")
    }
    let recorded = Self.deployment("web", Self.record("s1"))
    #expect(!shows(recorded))
    #expect(!shows(recorded, [Self.set("web-1", nil, session: "s2")]))
    #expect(!shows(recorded, [Self.set("web-1", nil, owner: "uid-old", session: "s1")]))
    #expect(!shows(recorded, [], [Self.labelled("m", Self.record("s1"))]))
    #expect(shows(recorded, [Self.set("web-1", nil, session: "s1")]))
    #expect(shows(recorded, [], [Self.map("s1", nil, owner: "uid-web")]))
    var redirected = recorded
    redirected.template = ["metadata": ["annotations": [SessionMark.key: "s1"]]]
    #expect(shows(redirected))
  }

  @Test func `A record that cannot be read hides nothing but its own Deployment`() {
    let (found, unreadable) = DeploymentRestore.redirected(
      [Self.deployment("a", "nonsense"), Self.deployment("web", Self.record("s1"))], [], [])
    #expect(
      found == [
        DeploymentRestore.Redirected(name: "web", session: "s1", holder: "me@laptop", since: "t", container: "app")
      ])
    #expect(unreadable.count == 1)
  }
}
