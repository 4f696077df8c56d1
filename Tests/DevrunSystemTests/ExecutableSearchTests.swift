import DevrunCore
import DevrunSystem
import TestSupport
import Testing

@Suite("Search for the executable")
struct ExecutableSearchTests {
  private func folder() throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    for name in ["first/folder", "second"] { try folder.makeFolder(name) }
    for name in ["second/tool", "second/data"] { try folder.write(name, "", mode: 0o755) }
    for name in ["first/data", "first/secret"] { try folder.write(name, "") }
    return folder
  }

  @Test func `The search walks through PATH and passes over what cannot be executed`() throws {
    let folder = try folder()
    let search = ExecutableSearch(
      path: RawString("\(folder.path("none")):\(folder.path("first")):\(folder.path("second"))"))
    #expect(try search.find("tool") == RawString(folder.path("second/tool")))
    #expect(try search.find("data") == RawString(folder.path("second/data")))
    #expect(throws: ExecutableSearchError.notExecutable(RawString(folder.path("first/secret")), .accessDenied)) {
      try search.find("secret")
    }
    #expect(throws: ExecutableSearchError.notFound("folder")) { try search.find("folder") }
    #expect(throws: ExecutableSearchError.notFound("")) { try search.find("") }
  }

  @Test func `The search takes a command name with a slash as a path`() throws {
    let folder = try folder()
    let search = ExecutableSearch(path: nil)
    let tool = RawString(folder.path("second/tool"))
    #expect(try search.find(tool) == tool)
    let inner = RawString(folder.path("first"))
    #expect(throws: ExecutableSearchError.directory(inner)) { try search.find(inner) }
    let below = RawString(folder.path("second/tool/x"))
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
