import DevrunCore
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("The search for a command")
struct ExecutableSearchTests {
  private func fixture() throws -> LaunchFixture {
    let fixture = try LaunchFixture()
    for folder in ["first", "second", "first/folder"] { mkdir(fixture.path(folder), 0o755) }
    try fixture.write("second/tool", "")
    try fixture.write("first/data", "")
    chmod(fixture.path("first/data"), 0o644)
    try fixture.write("second/data", "")
    try fixture.write("first/secret", "")
    chmod(fixture.path("first/secret"), 0o644)
    return fixture
  }

  @Test("goes through PATH, and past what cannot be executed")
  func path() throws {
    let fixture = try fixture()
    let search = ExecutableSearch(
      path: RawString("\(fixture.path("none")):\(fixture.path("first")):\(fixture.path("second"))"))
    #expect(try search.find("tool") == RawString(fixture.path("second/tool")))
    #expect(try search.find("data") == RawString(fixture.path("second/data")))
    #expect(throws: ExecutableSearchError.notExecutable(RawString(fixture.path("first/secret")), .accessDenied)) {
      try search.find("secret")
    }
    #expect(throws: ExecutableSearchError.notFound("folder")) { try search.find("folder") }
    #expect(throws: ExecutableSearchError.notFound("")) { try search.find("") }
  }

  @Test("takes a name with a slash as a path")
  func slash() throws {
    let fixture = try fixture()
    let search = ExecutableSearch(path: nil)
    let tool = RawString(fixture.path("second/tool"))
    #expect(try search.find(tool) == tool)
    let folder = RawString(fixture.path("first"))
    #expect(throws: ExecutableSearchError.directory(folder)) { try search.find(folder) }
    let below = RawString(fixture.path("second/tool/x"))
    #expect(throws: ExecutableSearchError.notFound(below)) { try search.find(below) }
  }

  @Test("uses the common folders without PATH, and this one for an empty part")
  func defaults() throws {
    #expect(try ExecutableSearch(path: nil).find("sh").description.hasSuffix("/sh"))
    #expect(throws: ExecutableSearchError.self) { try ExecutableSearch(path: "").find("sh") }
  }

  @Test("fails with 127 for what is not there, and 126 for what cannot be executed")
  func statuses() {
    #expect(ExecutableSearchError.notFound("x").exitStatus == .notFound)
    #expect(ExecutableSearchError.directory("x").exitStatus == .cannotExecute)
    #expect(ExecutableSearchError.notExecutable("x", .accessDenied).exitStatus == .cannotExecute)
  }
}
