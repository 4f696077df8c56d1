import DevrunCore
import DevrunYAML
import Testing

@Suite("Fields of a YAML text")
struct YAMLFieldTests {
  @Test func `A YAML value of the wrong type is reported with its file, place and path`() throws {
    let text = "clusters:\n- cluster:\n    server: 5\n    flag: maybe\nempty:\n"
    let root = try YAMLField(parsing: Array(text.utf8), source: "file.yaml")
    let cluster = try root.required("clusters").elements()[0].required("cluster")
    func message(_ body: () throws -> Void) throws -> String {
      try #require(throws: YAMLError.self, performing: body).description
    }
    #expect(
      try message { _ = try cluster.required("server").string() }
        == "file.yaml:3:13: clusters[0].cluster.server must be a string, but is a number\nput it in quotes")
    #expect(
      try message { _ = try cluster.required("flag").bool() }
        == "file.yaml:4:11: clusters[0].cluster.flag must be true or false, but is a string")
    #expect(
      try message { _ = try cluster.required("none") } == "file.yaml:3:5: clusters[0].cluster must have 'none'")
    #expect(
      try message { _ = try cluster.elements() }
        == "file.yaml:3:5: clusters[0].cluster must be a list, but is a mapping")
    #expect(
      try message { _ = try root.required("clusters").members() }
        == "file.yaml:2:1: clusters must be a mapping, but is a list")
    #expect(try root.member("empty")?.path == nil)
    #expect(try cluster.required("server").text() == "5")
  }
}
