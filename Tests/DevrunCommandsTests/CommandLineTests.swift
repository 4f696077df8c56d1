import ArgumentParser
import DevrunConfig
import DevrunCore
import DevrunPlan
import DevrunSystem
import Testing

@testable import DevrunCommands

/// What a command line asks for.
private enum Request: Equatable, Sendable {
  case run([String], target: String? = nil, verbose: Bool = false)
  case env(target: String? = nil, format: EnvironmentFormat = .dotenv)
  case restore([String], all: Bool = false, namespace: String? = nil)
  case diagnose(json: Bool)

  init(_ arguments: [String]) throws {
    switch try Devrun.parse(arguments) {
    case let run as RunCommand:
      self = .run(run.command, target: run.options.target, verbose: run.options.cluster.verbose)
    case let env as EnvCommand: self = .env(target: env.target, format: env.format)
    case let restore as RestoreCommand:
      self = .restore(restore.targets, all: restore.all, namespace: restore.cluster.namespace)
    case let diagnose as DiagnoseCommand: self = .diagnose(json: diagnose.json)
    case let other: throw UnexpectedCommand(description: "\(other)")
    }
  }
}

private struct UnexpectedCommand: Error, CustomStringConvertible {
  var description: String
}

@Suite("Command lines")
struct CommandLineTests {
  @Test(
    arguments: [
      (["--", "cmd"], .run(["--", "cmd"])),
      (["cmd"], .run(["cmd"])),
      (["make", "test"], .run(["make", "test"])),
      ([""], .run([""])),
      (["-t", "deployment/x", "--", "cmd"], .run(["--", "cmd"], target: "deployment/x")),
      (["-t=deployment/x", "cmd"], .run(["cmd"], target: "deployment/x")),
      (["--target", "deployment/x", "cmd"], .run(["cmd"], target: "deployment/x")),
      (["--target=deployment/x", "cmd"], .run(["cmd"], target: "deployment/x")),
      (["-vt", "deployment/x", "cmd"], .run(["cmd"], target: "deployment/x", verbose: true)),
    ] as [([String], Request)])
  fileprivate func `Options of devrun precede the command, with or without two hyphens`(
    arguments: [String], request: Request
  ) throws {
    #expect(try Request(arguments) == request)
  }

  @Test(
    arguments: [
      ["ls", "--help"], ["ls", "-h"], ["ls", "-la", "-t", "x"], ["ls", "--version"], ["ls", "--tagret"],
      ["ls", "--", "-v"], ["ls", "---x"], ["ls", "---"], ["ls", "-=x"], ["ls", "--=x"],
      ["ls", "--generate-completion-script", "bash"], ["ls", "--generate-completion-script=bash"],
      ["ls", "--experimental-dump-help"], ["ls", "---completion", "env"], ["ls", "help"], ["ls", "env"],
      ["--", "--help"], ["--", "-h"], ["--", "--", "--version"], ["--", "---x"],
      ["--", "--generate-completion-script", "bash"],
    ])
  func `Arguments that follow the name of the command belong to the command`(command: [String]) throws {
    #expect(try Request(command) == .run(command))
    #expect(try Request(["-v", "-t", "pod/x"] + command) == .run(command, target: "pod/x", verbose: true))
  }

  @Test(
    arguments: [
      (["env"], .env()),
      (["env", "-t", "deployment/x", "--format", "json"], .env(target: "deployment/x", format: .json)),
      (["restore"], .restore([])),
      (["restore", "--all"], .restore([], all: true)),
      (
        ["restore", "deployment/x", "-n", "shop", "deployment/y"],
        .restore(["deployment/x", "deployment/y"], namespace: "shop")
      ),
      (["diagnose"], .diagnose(json: false)),
      (["diagnose", "--json"], .diagnose(json: true)),
    ] as [([String], Request)])
  fileprivate func `A subcommand is the first word of the command line`(arguments: [String], request: Request) throws {
    #expect(try Request(arguments) == request)
  }

  @Test(arguments: ["env", "restore", "diagnose", "help"])
  func `A program that is named like a subcommand runs after two hyphens or after an option`(name: String) throws {
    #expect(try Request(["--", name]) == .run(["--", name]))
    #expect(try Request(["--", name, "--help"]) == .run(["--", name, "--help"]))
    #expect(try Request(["-t", "pod/x", name]) == .run([name], target: "pod/x"))
    #expect(try Request(["-v", name, "--help"]) == .run([name, "--help"], verbose: true))
    #expect(try Request(["-t", name, "--", "cmd"]) == .run(["--", "cmd"], target: name))
    #expect(try Request(["./\(name)"]) == .run(["./\(name)"]))
  }

  @Test(arguments: ["run", "devrun", "exec", "version", "completion", "subcommands", "root-command", "--"])
  func `No other word keeps a program from being run by its name`(name: String) throws {
    #expect(try Request([name, "x"]) == .run([name, "x"]))
  }

  @Test func `The options of a run have the values of the command line`() throws {
    let arguments = [
      "--new-pod", "--image", "registry/image:1", "-c", "app", "-p", "80:8080", "--port", "81", "--env-file", "a.env",
      "--env-file", "b.yaml", "-e", "A=1", "--env", "B=x=y", "--env-include", "P*", "--env-exclude", "Q*",
      "--env-unset", "R*", "--env-unset", "S",
      "--volume-limit", "2Gi", "--force-volumes", "--wait", "--isolation", "trap",
      "--take-over", "now", "--start-timeout", "1m30s", "-n", "shop", "--context", "test",
      "--kubeconfig", "config", "-q", "cmd",
    ]
    let command = try #require(try Devrun.parse(arguments) as? RunCommand)
    let options = command.options
    #expect(command.command == ["cmd"])
    #expect(options.target == nil)
    #expect(options.newPod)
    #expect(options.image == "registry/image:1")
    #expect(options.container == "app")
    #expect(options.port == ["80:8080", "81"])
    #expect(options.environment.envFile == ["a.env", "b.yaml"])
    #expect(options.environment.env.map { "\($0.name)|\($0.value)" } == ["A|1", "B|x=y"])
    #expect(options.environment.envInclude == ["P*"])
    #expect(options.environment.envExclude == ["Q*"])
    #expect(options.environment.envUnset == ["R*", "S"])
    #expect(options.volumeLimit == 2 << 30)
    #expect(options.forceVolumes)
    #expect(options.wait)
    #expect(options.isolation == .trap)
    #expect(options.takeOver == .now)
    #expect(options.startTimeout == .seconds(90))
    #expect(options.cluster.namespace == "shop")
    #expect(options.cluster.context == "test")
    #expect(options.cluster.kubeconfig == "config")
    #expect(options.cluster.verbosity == .quiet)
  }

  @Test func `The options of a run have defaults`() throws {
    let command = try #require(try Devrun.parse(["cmd"]) as? RunCommand)
    let options = command.options
    #expect(options.target == nil && !options.newPod && options.image == nil && options.container == nil)
    #expect(options.port.isEmpty && options.environment.envFile.isEmpty && options.environment.env.isEmpty)
    #expect(options.environment.envInclude.isEmpty && options.environment.envExclude.isEmpty)
    #expect(options.volumeLimit == nil && !options.forceVolumes && !options.wait && options.isolation == nil)
    #expect(options.takeOver == nil && options.startTimeout == nil)
    #expect(options.cluster.namespace == nil && options.cluster.context == nil && options.cluster.kubeconfig == nil)
    #expect(options.cluster.verbosity == .normal)
  }
}
