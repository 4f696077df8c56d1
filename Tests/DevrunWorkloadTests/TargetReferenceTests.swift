import DevrunCore
import Testing

@testable import DevrunWorkload

@Suite("Target references")
struct TargetReferenceTests {
  @Test(
    arguments: [
      ("deployment/a", "deployment"), ("deployments/a", "deployment"), ("deploy/a", "deployment"),
      ("Deployment/a", "deployment"), ("deployments.apps/a", "deployment"), ("deployment.apps/a", "deployment"),
      ("deployments.v1.apps/a", "deployment"), ("statefulset/a", "statefulset"), ("sts/a", "statefulset"),
      ("daemonsets/a", "daemonset"), ("ds/a", "daemonset"), ("replicaset.apps/a", "replicaset"), ("rs/a", "replicaset"),
      ("pod/a", "pod"), ("pods/a", "pod"), ("po/a", "pod"), ("service/a", "service"), ("services/a", "service"),
      ("svc/a", "service"),
    ] as [(String, String)])
  func `A target's kind is recognised by the names that kubectl has for it`(
    text: String, kind: String
  ) throws {
    let reference = try TargetReference(parsing: text)
    #expect(reference.description == "\(kind)/a")
    #expect(try TargetReference(parsing: reference.description) == reference)
  }

  @Test(
    arguments: [
      ("", .malformed("")), ("myapp1", .malformed("myapp1")), ("deployment/", .malformed("deployment/")),
      ("/a", .malformed("/a")), ("a/b/c", .malformed("a/b/c")), ("job/a", .unknownKind("job", name: "a")),
      ("pod.apps/a", .unknownKind("pod.apps", name: "a")),
      ("deployment.extensions/a", .unknownKind("deployment.extensions", name: "a")),
      ("deployment/My_App", .invalidName("My_App")), ("deployment/-a", .invalidName("-a")),
      ("pod/a..b", .invalidName("a..b")),
    ] as [(String, TargetReferenceError)])
  func `A text that names no target is refused`(text: String, error: TargetReferenceError) {
    #expect(throws: error) { try TargetReference(parsing: text) }
  }

  @Test func `An unknown kind of target is refused with the list of kinds and the nearest one`() throws {
    let error = try #require(throws: TargetReferenceError.self) { try TargetReference(parsing: "deplyment/app") }
    #expect(error.message.what == "'deplyment' is no kind of target")
    #expect(error.message.why?.contains("statefulset (sts)") == true)
    #expect(error.message.remedy == "did you mean deployment/app?")
    #expect(error.exitStatus == .usage)
  }

  @Test func `A target's name may contain dots and have up to 253 characters`() throws {
    let name = String(repeating: "a", count: 253)
    #expect(try TargetReference(parsing: "pod/\(name)").name == name)
    #expect(throws: TargetReferenceError.self) { try TargetReference(parsing: "pod/\(name)a") }
    #expect(try TargetReference(parsing: "pod/a.b-1").name == "a.b-1")
  }
}
