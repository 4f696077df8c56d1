import DevrunConfig
import DevrunCore
import DevrunSession
import DevrunWorkload
import Testing

@testable import DevrunCommands

@Suite("Options of a run, with what devrun.yaml says")
struct ClusterOptionsTests {
  private static let access = ClusterAccess(server: "https://s", namespace: "shop", contextName: "current")

  private static func options(_ arguments: [String]) throws -> RunOptions {
    try #require(try Devrun.parse(arguments + ["-t", "deployment/x", "cmd"]) as? RunCommand).options
  }

  @Test func `The command line of a restore names the cluster as the run does`() throws {
    var project = ProjectFile()
    project.context = "test"
    project.kubeconfig = "/k"
    let none = try Self.options([]).cluster
    #expect(none.restoreCommand(Self.access).text(of: "deployment/x") == "devrun restore -n shop deployment/x")
    #expect(
      none.restoreCommand(Self.access, project: project).text(of: "deployment/x")
        == "devrun restore -n shop --context test --kubeconfig /k deployment/x")
    let named = try Self.options(["--context", "staging", "--kubeconfig", "/other"]).cluster
    #expect(
      named.restoreCommand(Self.access, project: project).text(of: "deployment/x")
        == "devrun restore -n shop --context staging --kubeconfig /other deployment/x")
  }

  @Test func `One port of the container cannot lead to two ports here`() throws {
    #expect(throws: PortMappingError.ambiguous(80, 8080, 9090)) {
      _ = try Self.options(["-p", "80:8080", "-p", "80:9090"]).sessionOptions(ProcessContext(), ProjectFile())
    }
    let twice = try Self.options(["-p", "80:8080", "-p", "80:8080"])
    #expect(
      try twice.sessionOptions(ProcessContext(), ProjectFile()).0?.ports == [PortMapping(remote: 80, local: 8080)])
  }
}
