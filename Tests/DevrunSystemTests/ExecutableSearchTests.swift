import DevrunCore
import Glibc
import Testing

@testable import DevrunLauncher

@Suite("Search for the executable")
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

  @Test func `The search walks through PATH and passes over what cannot be executed`() throws {
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

  @Test func `The search takes a command name with a slash as a path`() throws {
    let fixture = try fixture()
    let search = ExecutableSearch(path: nil)
    let tool = RawString(fixture.path("second/tool"))
    #expect(try search.find(tool) == tool)
    let folder = RawString(fixture.path("first"))
    #expect(throws: ExecutableSearchError.directory(folder)) { try search.find(folder) }
    let below = RawString(fixture.path("second/tool/x"))
    #expect(throws: ExecutableSearchError.notFound(below)) { try search.find(below) }
  }

  @Test func `The search uses the standard folders if PATH is unset, but not if it is empty`() throws {
    #expect(try ExecutableSearch(path: nil).find("sh").description.hasSuffix("/sh"))
    #expect(throws: ExecutableSearchError.self) { try ExecutableSearch(path: "").find("sh") }
  }

  @Test func `A command that is not found gives 127, and one that cannot be executed gives 126`() {
    #expect(ExecutableSearchError.notFound("x").exitStatus == .notFound)
    #expect(ExecutableSearchError.directory("x").exitStatus == .cannotExecute)
    #expect(ExecutableSearchError.notExecutable("x", .accessDenied).exitStatus == .cannotExecute)
  }
}
