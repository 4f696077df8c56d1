internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunLauncher
internal import DevrunPlan
internal import DevrunSession
internal import DevrunSystem
internal import DevrunWorkload

/// `devrun [options] -- <command>`
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "devrun",
    abstract: "Run a command here as if it ran in a container of a Kubernetes cluster.",
    usage: """
      devrun [options] -- <command> [argument ...]
      devrun env [options]
      devrun diagnose [--json]
      devrun restore [options] [<kind/name> ...]
      devrun diagnose [--json]
      """,
    discussion: """
      The cluster's traffic for the target arrives at the command's local ports; the command sees the container's \
      environment and the cluster's services under their names. When it exits, everything is as it was. What is typed \
      each time can stand in devrun.yaml.
      """,
    version: devrunVersion)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("What to redirect: deployment/NAME, service/NAME or pod/NAME.", valueName: "kind/name"))
  var target: String?

  @Flag(help: "Make a pod of its own instead; nothing that runs is touched.")
  var newPod = false

  @Option(help: ArgumentHelp("The new pod's image; default: one that runs in the namespace.", valueName: "ref"))
  var image: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The container; default: the one that serves the ports.", valueName: "name")
  )
  var container: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A port to redirect; repeatable; default: those the container declares.", valueName: "remote[:local]"))
  var port: [String] = []

  @OptionGroup var environment: EnvironmentOptions

  @Option(
    help: ArgumentHelp("The most to copy of one volume, such as 2Gi; default: 256Mi.", valueName: "bytes"))
  var volumeLimit: String?

  @Flag(help: "Show volumes also where they hide what this machine or the command needs.")
  var forceVolumes = false

  @Flag(help: "Keep the session until the last process that the command left running has ended.")
  var wait = false

  @Option(help: ArgumentHelp("How the private view is made: automatic, mount, user or trap.", valueName: "how"))
  var isolation: String?

  @OptionGroup var cluster: ClusterOptions

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.")
  var command: [String] = []

  func validate() throws {
    if let first = command.first, first.hasPrefix("-"), first != "--" {
      if first == "--help" || first == "-h" { throw CleanExit.helpRequest(self) }
      if first == "--version" { throw CleanExit.message(devrunVersion) }
      let known = [
        "--target", "--new-pod", "--image", "--container", "--port", "--env-file", "--env", "--env-include",
        "--env-exclude",
        "--volume-limit", "--force-volumes", "--wait", "--isolation",
        "--namespace", "--context", "--kubeconfig", "--verbose", "--quiet", "--help", "--version",
      ]
      let guess = nearest(to: first, in: known).map { "; did you mean \($0)?" } ?? ""
      throw ValidationError("unknown option \(first)\(guess)")
    }
    if command.first == "--" ? command.count == 1 : command.isEmpty {
      throw ValidationError("there is no command: devrun [options] -- <command>")
    }
    if target != nil && newPod { throw ValidationError("--target and --new-pod exclude each other") }
  }

  /// Checks all that can be checked before the cluster is touched, then parts into the front and the keeper.
  func run() throws {
    let process = ProcessContext()
    let arguments = ProcessArguments.last(command.count - (command.first == "--" ? 1 : 0))
    let executable = try ExecutableSearch(path: process.environment["PATH"]).find(arguments[0])
    let project = try ProjectFile.find(from: process.workingDirectory).map(ProjectFile.load) ?? ProjectFile()
    let (options, warnings) = try sessionOptions(process, project)
    let access = try cluster.access(process, project: project)
    let report = ProgressReport(terminal: Terminal(), verbosity: cluster.verbosity)
    let log = SessionLog(telling: report)
    for warning in warnings { log.report(.warning(ErrorMessage(warning))) }
    let isolation = try isolationChoice(project)
    try checkMountPaths(options, process, executable: executable)
    guard let options else {
      let restoration = Restoration(access: access, environment: process.environment, reporter: log)
      let candidates = try runBlocking { try await restoration.candidates() }
      throw SessionError.noTarget(namespace: access.namespace, candidates: candidates)
    }
    let session = try Session(
      access: access, options: options, environment: process.environment, user: process.user,
      hostname: process.hostname, log: log)
    try CommandProcess(
      session: session, namespace: access.namespace,
      program: ProgramInvocation(executable: executable, arguments: arguments), isolation: isolation,
      waitsForDescendants: wait,
      report: report,
      log: log, environment: process.environment
    ).run()
  }

  /// What the command line and the files ask for; no options where no target is named.
  private func sessionOptions(_ process: ProcessContext, _ project: ProjectFile) throws -> (
    SessionOptions?, warnings: [String]
  ) {
    if project.agentImage != nil {
      throw ValidationError("devrun.yaml: agent-image is not supported yet; the agent travels in ConfigMaps")
    }
    let ports = try port.isEmpty ? project.ports : port.map(PortMapping.init(parsing:))
    let (localEnv, warnings) = try environment.localEnv(process, project)
    let chosen: SessionOptions.Target?
    if newPod || project.newPod == true && target == nil {
      chosen = .newPod(image: image ?? project.image)
    } else {
      chosen = try (target.map(TargetReference.init(parsing:)) ?? project.targetReference).map { .existing($0) }
    }
    guard let chosen else { return (nil, warnings) }
    var options = try environment.options(
      target: chosen, container: container ?? project.container, ports: ports, localEnv: localEnv, project: project)
    if let volumeLimit {
      guard let bytes = ByteCount.parse(volumeLimit) else {
        throw ValidationError("--volume-limit takes a number of bytes such as 500Mi or 2Gi, not '\(volumeLimit)'")
      }
      options.volumeLimit = bytes
    }
    options.forcesVolumes = forceVolumes
    return (options, warnings)
  }

  /// A path of the files at which a volume would hide what is needed is told before the cluster is touched.
  private func checkMountPaths(_ options: SessionOptions?, _ process: ProcessContext, executable: RawString) throws {
    let protected = ProtectedPaths(
      environment: process.environment, workingDirectory: RawString(process.workingDirectory), executable: executable)
    for path in options?.localEnv.volumeReferences.compactMap(\.mountPath) ?? [] {
      try protected.check(RawString(path), force: forceVolumes)
    }
  }

  private func isolationChoice(_ project: ProjectFile) throws -> IsolationChoice {
    guard let name = isolation else { return project.isolation ?? .automatic }
    guard let choice = IsolationChoice(rawValue: name) else {
      let names = IsolationChoice.allCases.map(\.rawValue)
      throw ValidationError("--isolation takes one of \(names.joined(separator: ", ")), not '\(name)'")
    }
    return choice
  }
}
