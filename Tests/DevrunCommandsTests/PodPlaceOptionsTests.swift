import ArgumentParser
import DevrunConfig
import DevrunCore
import DevrunPlan
import DevrunSession
import DevrunWorkload
import Testing

@testable import DevrunCommands

@Suite("Options for what only pods reach")
struct PodPlaceOptionsTests {
  /// What is asked of a session by a command line, devrun.yaml and a file of Bridge to Kubernetes.
  private func asked(
    _ arguments: [String], project: String = "{}", ports: [PortMapping] = [], newPod: Bool = false, b2k: String? = nil
  ) throws -> (options: SessionOptions, warnings: [String]) {
    let parsed = try PodPlaceOptions.parse(arguments)
    let file = try b2k.map { try KubernetesLocalProcessConfig.parse(Array($0.utf8), source: "b2k.yaml") }
    var options = SessionOptions(
      target: newPod ? .newPod(image: nil) : .existing(try TargetReference(parsing: "deployment/web")), container: nil,
      ports: ports, localEnv: file ?? LocalEnvFile(merging: []), variables: [])
    let warnings = try parsed.apply(
      to: &options, ProjectFile.parse(Array(project.utf8), source: "/project/devrun.yaml"))
    return (options, warnings)
  }

  private static let project = "pod-ports: [3500]\nvia-pod: [a.example.com]"
  private static let b2k = """
    version: 0.1
    env: [{name: DAPR, value: "$(externalendpoints:localhost:50001)"}]
    """

  @Test func `devrun.yaml counts where the command line names nothing, and the files of variables add to it`() throws {
    let (options, warnings) = try asked([], project: Self.project, b2k: Self.b2k)
    #expect(options.podPorts.map(\.description) == ["3500", "50001"])
    #expect(options.viaPod.map(\.description) == ["a.example.com"])
    #expect(warnings.isEmpty)
  }

  @Test func `The command line overrides devrun.yaml`() throws {
    let (options, _) = try asked(
      ["--pod-port", "80:8000", "--pod-port", "90", "--via-pod", "10.0.0.0/8:22"], project: Self.project)
    #expect(options.podPorts.map(\.description) == ["80:8000", "90"])
    #expect(options.viaPod.map(\.description) == ["10.0.0.0/8:22"])
  }

  @Test func `A local port for two things is refused`() throws {
    #expect(throws: PortMappingError.localTwice(3500, 3500, 80)) {
      try asked(["--pod-port", "3500", "--pod-port", "80:3500"])
    }
    let (pod, redirected) = (PortMapping(remote: 3500), PortMapping(remote: 80, local: 3500))
    #expect(throws: PortMappingError.localOfCommand(pod, redirected: redirected)) {
      try asked(["--pod-port", "3500"], ports: [redirected])
    }
  }

  @Test func `A new pod has no localhost to reach: an option is refused, and files cause a warning`() throws {
    #expect(throws: UsageError.podPortOfNewPod) { try asked(["--pod-port", "3500"], newPod: true) }
    let (options, warnings) = try asked([], project: Self.project, newPod: true, b2k: Self.b2k)
    #expect(options.podPorts.isEmpty)
    #expect(options.viaPod.map(\.description) == ["a.example.com"])
    #expect(warnings.count == 2 && warnings[0].contains("port 3500") && warnings[1].contains("port 50001"))
  }

  @Test func `A command line brings what only pods reach into the session`() throws {
    let command = try Devrun.parse([
      "-t", "deployment/web", "--pod-port", "3500:13500", "--via-pod", "10.0.0.1", "--", "cmd",
    ])
    let run = try #require(command as? RunCommand)
    let (options, _) = try run.options.sessionOptions(ProcessContext(), ProjectFile())
    #expect(options?.podPorts.map(\.description) == ["3500:13500"])
    #expect(options?.viaPod.map(\.description) == ["10.0.0.1"])
  }
}
