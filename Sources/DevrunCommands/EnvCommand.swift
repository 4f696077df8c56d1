internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan
internal import DevrunSession
internal import DevrunSystem
internal import DevrunWorkload
internal import Glibc

/// `devrun env [options]`
struct EnvCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "env",
    abstract: "Print the environment that a command would get.",
    discussion: """
      devrun starts a session pod as a run does, with the container's image, environment and volumes. Only devrun's \
      agent runs in the pod, and no Service sends traffic to it. devrun reads the environment from the agent and \
      deletes the pod. What runs in the cluster is not touched. Values that come from Secrets, and those of names like \
      PASSWORD and TOKEN, are printed as ***.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The workload whose environment to print: deployment/NAME, service/NAME or pod/NAME.", valueName: "kind/name"))
  var target: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The container whose environment to print. Default: the one that serves the ports.", valueName: "name"))
  var container: String?

  @OptionGroup var environment: EnvironmentOptions

  @Option(
    help: "The format of the output: \(EnvironmentFormat.names.joined(separator: ", ")). Default: dotenv.",
    completion: .list(EnvironmentFormat.names), transform: EnvironmentFormat.named)
  var format = EnvironmentFormat.dotenv

  @Option(
    help: ArgumentHelp(
      """
      How long the session pod may take to start, such as 30s or 2m. Default: \
      \(DurationText.text(SessionOptions.defaultStartTimeout)).
      """, valueName: "duration"),
    transform: { try RunOptions.duration($0) })
  var startTimeout: Duration?

  @Flag(help: "Print the values of secrets.")
  var showSecrets = false

  @OptionGroup var cluster: ClusterOptions

  func run() throws {
    let process = ProcessContext()
    let project = try process.project()
    let access = try cluster.access(process, project: project)
    let reporter = RunReporter(terminal: ProgressReport(terminal: Terminal(), verbosity: cluster.verbosity))
    cluster.announceKubeconfig(of: project, reporter)
    guard let target = try target.map(TargetReference.init(parsing:)) ?? project.targetReference else {
      throw UsageError.noTarget
    }
    let (localEnv, warnings) = try environment.localEnv(process, project)
    for warning in warnings { reporter.report(.warning(ErrorMessage(warning))) }
    var options = environment.options(
      target: .existing(target), container: container ?? project.container, ports: [], localEnv: localEnv,
      project: project)
    options.takeOver = .never
    if let timeout = startTimeout ?? project.startTimeout { options.startTimeout = timeout }
    options.otherNamespaces = access.otherNamespaces
    options.restoreCommand = cluster.restoreCommand(access, project: project)
    let session = try Session(
      access: access, options: options, environment: process.environment, user: process.user,
      hostname: process.hostname, reporter: reporter)
    let (format, showSecrets) = (format, showSecrets)
    try CommandProcess(session: session, reporter: reporter, environment: process.environment).run { process, keeper in
      let (variables, secrets) = try await session.environment(
        askingGroup: { keeper.askingGroup }, ending: process.ending)
      return Self.print(variables, masking: showSecrets ? [] : secrets, as: format, reporter)
    }
  }

  /// Prints on standard output. What cannot be printed there is no variable's fault.
  private static func print(
    _ variables: EnvironmentVariables, masking secrets: Set<RawString>, as format: EnvironmentFormat,
    _ reporter: RunReporter
  ) -> WaitStatus {
    let text = format.text(of: variables, masking: secrets)
    do throws(Errno) {
      try Descriptor.writeAll(text.bytes, to: STDOUT_FILENO)
    } catch {
      // Whoever reads has had enough, or the disk is full.
      return .failed(.devrunFailed)
    }
    if !text.omitted.isEmpty {
      let names = text.omitted.map(\.description).joined(separator: ", ")
      reporter.report(.answer("left out, since \(format.rawValue) cannot write the names: \(names)"))
    }
    return .exited(0)
  }
}
