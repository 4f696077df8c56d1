internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSession
internal import DevrunSystem
internal import DevrunWorkload

/// `devrun env [options]`
struct EnvCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "env",
    abstract: "Print the environment that a command would get.",
    discussion: """
      devrun starts a temporary pod with the container's image, environment and volumes. Only devrun's agent runs in \
      the pod, and no Service selects it. devrun reads the environment from the agent and deletes the pod. What runs \
      in the cluster is not touched. Values that come from Secrets, and those of names like PASSWORD and TOKEN, are \
      printed as ***.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The workload whose environment to print: deployment/NAME, service/NAME or pod/NAME.", valueName: "kind/name"))
  var target: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("The container. Default: the one that serves the ports.", valueName: "name"))
  var container: String?

  @OptionGroup var environment: EnvironmentOptions

  @Option(
    help: "The format of the output: \(EnvironmentFormat.names.joined(separator: ", ")). Default: dotenv.",
    completion: .list(EnvironmentFormat.names), transform: EnvironmentFormat.named)
  var format = EnvironmentFormat.dotenv

  @Flag(help: "Print the values of secrets.")
  var showSecrets = false

  @OptionGroup var cluster: ClusterOptions

  func run() throws {
    let process = ProcessContext()
    let project = try ProjectFile.find(from: process.workingDirectory).map(ProjectFile.load) ?? ProjectFile()
    let access = try cluster.access(process, project: project)
    let report = ProgressReport(terminal: Terminal(), verbosity: cluster.verbosity)
    guard let target = try target.map(TargetReference.init(parsing:)) ?? project.targetReference else {
      throw UsageError.noTarget
    }
    let (localEnv, warnings) = try environment.localEnv(process, project)
    let log = SessionLog(telling: report)
    for warning in warnings { log.report(.warning(ErrorMessage(warning))) }
    let options = environment.options(
      target: .copy(of: target), container: container ?? project.container, ports: [], localEnv: localEnv,
      project: project)
    let session = try Session(
      access: access, options: options, environment: process.environment, user: process.user,
      hostname: process.hostname, log: log)
    let showSecrets = showSecrets
    try CommandProcess(
      session: session, namespace: access.namespace, program: PrintEnvironmentCommand.program(format: format),
      isolation: .automatic, waitsForDescendants: false,
      adjust: { connected in
        var plan = connected.plan
        if !showSecrets { plan.arguments += connected.secretNames.sorted { $0.description < $1.description } }
        return plan
      }, report: report, log: log, environment: process.environment
    ).run()
  }
}
