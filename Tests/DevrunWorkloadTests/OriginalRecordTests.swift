import DevrunCore
import DevrunKube
import Testing

@testable import DevrunWorkload

@Suite("Record of the original")
struct OriginalRecordTests {
  private static let full = OriginalRecord(
    session: "s1", holder: "me@laptop", since: "2026-01-02T03:04:05Z", container: "app",
    template: ["metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "app", "args": ["a/b\"c"]]]]],
    applied: [
      "metadata": ["labels": ["app": "web"]], "spec": ["containers": [["name": "app", "command": ["agent"]]]],
    ],
    revisionHistoryLimit: 10, hadAnnotations: true, managedFields: [["manager": "kubectl"]],
    replicaSet: .init(name: "web-1", annotations: ["deployment.kubernetes.io/revision": "3"], managedFields: []),
    configMaps: ["devrun-s1-loader", "devrun-s1-0"])

  private static func object(_ annotation: JSONValue) -> KubeObject {
    ["metadata": ["name": "web", "annotations": [OriginalRecord.annotation: annotation]]]
  }

  @Test func `A record is read from an annotation as it was written`() throws {
    var least = Self.full
    least.revisionHistoryLimit = nil
    least.managedFields = nil
    least.replicaSet = nil
    for record in [Self.full, least] {
      let value = JSONValue.string(try record.annotationValue())
      #expect(try OriginalRecord.read(from: Self.object(value)) == record)
    }
    #expect(try OriginalRecord.read(from: ["metadata": ["name": "web"]]) == nil)
  }

  /// As devrun 0.1.0 wrote it by Foundation's encoder: a record on a cluster outlives the devrun that made it.
  @Test func `A record of an earlier devrun is read`() throws {
    let text = """
      {"configMaps":["devrun-s1-loader","devrun-s1-0"],"container":"app","hadAnnotations":true,"holder":"me@laptop",\
      "managedFields":[{"manager":"kubectl"}],"replicaSet":{"annotations":{"deployment.kubernetes.io/revision":"3"},\
      "managedFields":[],"name":"web-1"},"revisionHistoryLimit":10,"session":"s1","since":"2026-01-02T03:04:05Z",\
      "template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"args":["a/b\\"c"],"name":"app"}]}},\
      "version":1}
      """
    var expected = Self.full
    expected.applied = nil
    #expect(try OriginalRecord.read(from: Self.object(.string(text))) == expected)
  }

  @Test(
    arguments: [
      ("", "this is no valid JSON: the text ends early at byte 0"),
      ("[]", "its version is missing or malformed"),
      (#"{"version": "1"}"#, "its version is missing or malformed"),
      (#"{"version": 3}"#, "its version is 3"),
      (
        #"{"version":2,"session":"s","holder":"h","since":"t","container":"c","template":{}}"#,
        "its applied is missing or malformed"
      ),
      (#"{"version": 1}"#, "its session is missing or malformed"),
      (#"{"version":1,"session":""}"#, "its session is no name of a session"),
      (#"{"version":1,"session":"a,b=c"}"#, "its session is no name of a session"),
      (#"{"version":1,"session":"UPPER"}"#, "its session is no name of a session"),
      (#"{"version":1,"session":"../x"}"#, "its session is no name of a session"),
      (
        #"{"version":1,"session":"\#(String(repeating: "s", count: 64))"}"#, "its session is no name of a session"
      ),
      (
        #"{"version":1,"session":"s","holder":"h","since":"t","container":"c","template":[],"hadAnnotations":true}"#,
        "its template is missing or malformed"
      ),
      (
        #"{"version":1,"session":"s","holder":"h","since":"t","container":"c","template":{},"hadAnnotations":true,"configMaps":[1]}"#,
        "its configMaps is missing or malformed"
      ),
      (
        #"{"version":1,"session":"s","holder":"h","since":"t","container":"c","template":{},"hadAnnotations":true,"configMaps":[],"replicaSet":{}}"#,
        "its replicaSet has no name"
      ),
    ])
  func `A damaged record is refused with what is wrong with it`(text: String, cause: String) {
    #expect(throws: WorkloadError.recordUnreadable("web", cause: cause)) {
      try OriginalRecord.read(from: Self.object(.string(text)))
    }
  }

  @Test func `A record that would not fit in an annotation is refused before anything is changed`() {
    var record = Self.full
    record.holder = String(repeating: "x", count: OriginalRecord.annotationLimit)
    #expect(throws: WorkloadError.self) { try record.annotationValue() }
  }
}
