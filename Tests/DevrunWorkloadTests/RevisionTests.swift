import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Revision after a session")
struct RevisionTests {
  private static func set(_ name: String, _ revision: String?, history: String? = nil) -> KubeObject {
    var set: KubeObject = ["metadata": ["name": .string(name)]]
    if let revision { set.annotations[DeploymentRedirect.revision] = revision }
    if let history { set.annotations["deployment.kubernetes.io/revision-history"] = history }
    return set
  }

  private static func recorded(_ revision: String, history: String? = nil) -> OriginalRecord.ReplicaSetRecord {
    OriginalRecord.ReplicaSetRecord(
      name: "web", annotations: set("web", revision, history: history).metadata["annotations"])
  }

  struct Case: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var set: KubeObject
    var others: [KubeObject] = []
    var recorded: OriginalRecord.ReplicaSetRecord?
    var revision: String
    var operations: [JSONPatchOperation]
  }

  private static let number: JSONPointer = ["metadata", "annotations", DeploymentRedirect.revision]
  private static let history: JSONPointer = ["metadata", "annotations", "deployment.kubernetes.io/revision-history"]

  private static let cases = [
    Case(
      testDescription: "the controller raised the original's number", set: set("web", "5", history: "3"),
      others: [set("old", "2")], recorded: recorded("3"), revision: "3",
      operations: [.add(number, "3"), .remove(history)]),
    Case(
      testDescription: "the controller has not come to it", set: set("web", "3"), others: [set("old", "2")],
      recorded: recorded("3"), revision: "3", operations: []),
    Case(
      testDescription: "the original had a history of its own", set: set("web", "7", history: "1,5"),
      others: [set("old", "4")], recorded: recorded("5", history: "1"), revision: "5",
      operations: [.add(number, "5"), .add(history, "1")]),
    Case(
      testDescription: "a colleague's new template is the next one", set: set("new", "5"),
      others: [set("web", "3"), set("old", "2")], revision: "4", operations: [.add(number, "4")]),
    Case(
      testDescription: "a colleague went to another one and back in mid-session", set: set("web", "7", history: "3"),
      others: [set("old", "6")], recorded: recorded("3"), revision: "7", operations: []),
    Case(
      testDescription: "the controller has not numbered it", set: ["metadata": ["name": "new"]],
      others: [set("web", "3")], revision: "4",
      operations: [.add(["metadata", "annotations"], [DeploymentRedirect.revision: "4"])]),
  ]

  @Test(arguments: cases) func `The present template has the number that it would have without devrun`(_ row: Case) {
    let settled = Revision.settled(row.set, others: row.others, recorded: row.recorded)
    #expect(settled.revision == row.revision)
    #expect(settled.operations == row.operations)
  }

  @Test(
    arguments: [
      ([("web-1", "v1"), ("web-2", "v2")], "web-2"),
      // The controller has not made the ReplicaSet of a template that was applied a moment ago.
      ([("web-1", "v1")], nil),
      ([], nil),
    ] as [([(String, String)], String?)])
  func `The recorded ReplicaSet is the one of the recorded template`(sets: [(String, String)], expected: String?) {
    func template(_ image: String) -> JSONValue {
      ["spec": ["containers": [["name": "app", "image": .string(image)]]]]
    }
    let objects = sets.map { name, image -> KubeObject in
      var object: KubeObject = ["metadata": ["name": .string(name)], "spec": ["template": template(image)]]
      object.template.labels = ["pod-template-hash": "x", "app": "web"]
      return object
    }
    var wanted = KubeObject(template("v2"))
    wanted.labels = ["app": "web"]
    wanted.metadata["creationTimestamp"] = .null
    #expect(DeploymentRedirect.replicaSet(of: wanted, among: objects)?.name == expected)
  }
}
