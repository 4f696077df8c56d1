import DevrunConfig
import DevrunCore
import Testing

@Suite("Port mappings")
struct PortMappingTests {
  @Test(arguments: [("8080", 8080, 8080), ("80:8080", 80, 8080), ("1:65535", 1, 65535), ("080", 80, 80)])
  func `A port mapping is a remote port with an optional local port`(
    text: String, remote: UInt16, local: UInt16
  ) throws {
    #expect(try PortMapping(parsing: text) == PortMapping(remote: remote, local: local))
  }

  @Test(
    arguments: [
      ("", .malformed("")), (":", .malformed(":")), ("80:", .malformed("80:")), (":80", .malformed(":80")),
      ("1:2:3", .malformed("1:2:3")), ("http", .malformed("http")), ("+80", .malformed("+80")),
      ("-1", .malformed("-1")), ("80 ", .malformed("80 ")), ("8٠", .malformed("8٠")),
      ("0", .outOfRange("0", port: "0")), ("80:65536", .outOfRange("80:65536", port: "65536")),
    ] as [(String, PortMappingError)])
  func `A malformed or out-of-range port mapping is refused`(text: String, error: PortMappingError) {
    #expect(throws: error) { try PortMapping(parsing: text) }
  }

  @Test(arguments: ["8080", "80:8080"])
  func `A port mapping is written as it is read`(text: String) throws {
    #expect(try PortMapping(parsing: text).description == text)
  }
}

@Suite("Target references")
struct TargetReferenceTests {
  @Test(
    arguments: [
      ("deployment/a", .deployment), ("deployments/a", .deployment), ("deploy/a", .deployment),
      ("Deployment/a", .deployment), ("deployments.apps/a", .deployment), ("deployment.apps/a", .deployment),
      ("deployments.v1.apps/a", .deployment), ("statefulset/a", .statefulSet), ("sts/a", .statefulSet),
      ("daemonsets/a", .daemonSet), ("ds/a", .daemonSet), ("replicaset.apps/a", .replicaSet), ("rs/a", .replicaSet),
      ("pod/a", .pod), ("pods/a", .pod), ("po/a", .pod), ("service/a", .service), ("services/a", .service),
      ("svc/a", .service),
    ] as [(String, TargetReference.Kind)])
  func `A target's kind is recognised by the names that kubectl has for it`(
    text: String, kind: TargetReference.Kind
  ) throws {
    let reference = try TargetReference(parsing: text)
    #expect(reference == TargetReference(kind: kind, name: "a"))
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
