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
    commandName: "devrun env",
    abstract: "Print the environment that a command would get.",
    discussion: """
      A pod like the target's, which no Service selects and in which nothing of the app starts, tells the container's \
      variables, those of the image included; it goes again at once. What runs is not touched. Values that come from \
      Secrets, and those of names like PASSWORD and TOKEN, are shown as ***.
      """)

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Whose environment: deployment/NAME, service/NAME or pod/NAME.", valueName: "kind/name"))
  var target: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The container; default: the one that serves the ports.", valueName: "name")
  )
  var container: String?

  @OptionGroup var environment: EnvironmentOptions

  @Option(help: ArgumentHelp("dotenv, json or shell.", valueName: "format"))
  var format = EnvironmentFormat.dotenv.rawValue

  @Flag(help: "Show the values of secrets.")
  var showSecrets = false

  @OptionGroup var cluster: ClusterOptions

  func run() throws {
    guard let format = EnvironmentFormat(rawValue: format) else {
      let names = EnvironmentFormat.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--format takes one of \(names), not '\(format)'")
    }
    let process = ProcessContext()
    let project = try ProjectFile.find(from: process.workingDirectory).map(ProjectFile.load) ?? ProjectFile()
    let access = try cluster.access(process, project: project)
    let report = ProgressReport(terminal: Terminal(), verbosity: cluster.verbosity)
    guard let target = try target.map(TargetReference.init(parsing:)) ?? project.targetReference else {
      throw ValidationError("there is no target: name one with --target KIND/NAME")
    }
    let (localEnv, warnings) = try environment.localEnv(process, project)
    let log = SessionLog(telling: report)
    for warning in warnings { log.report(.warning(ErrorMessage(warning))) }
    let options = try environment.options(
      target: .copy(of: target), container: container ?? project.container, ports: [], localEnv: localEnv,
      project: project)
    let session = try Session(
      access: access, options: options, environment: process.environment, user: process.user,
      hostname: process.hostname, log: log)
    // The child of the session prints what it has got: this program again.
    let printer = ProgramInvocation(
      executable: "/proc/self/exe",
      arguments: ["devrun", RawString(PrintEnvironment.name), RawString(format.rawValue)])
    let showSecrets = showSecrets
    try CommandProcess(
      session: session, namespace: access.namespace, program: printer, isolation: .automatic,
      waitsForDescendants: false,
      adjust: { connected in
        var plan = connected.plan
        if !showSecrets { plan.arguments += connected.secretNames.sorted { $0.description < $1.description } }
        return plan
      }, report: report, log: log, environment: process.environment
    ).run()
  }
}

/// What `devrun env` starts: prints its own environment.
enum PrintEnvironment {
  /// The word that asks for it.
  static let name = "print-environment"

  /// Prints the variables of this process.
  ///
  /// - Parameter arguments: the format, then the names whose values are masked.
  static func run(_ arguments: [RawString]) -> Int32 {
    guard let format = arguments.first.flatMap({ EnvironmentFormat(rawValue: $0.description) }) else {
      return ExitStatus.usage.rawValue
    }
    let variables = EnvironmentVariables.current.sorted()
    let text = format.text(of: variables, masking: Set(arguments.dropFirst()))
    var rest = text.bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      // Whoever reads has had enough, or the disk is full.
      guard count > 0 else { return ExitStatus.devrunFailed.rawValue }
      rest = rest.dropFirst(count)
    }
    if !text.omitted.isEmpty {
      Terminal().say(
        "left out, since \(format.rawValue) cannot write the names: \(text.omitted.map(\.description).joined(separator: ", "))"
      )
    }
    return 0
  }
}
