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
  static let configuration = RootCommand.configuration

  @OptionGroup var options: RunOptions

  @Argument(parsing: .captureForPassthrough, help: "The command and its arguments.")
  var command: [String] = []

  func validate() throws {
    if command.first == "--" ? command.count == 1 : command.isEmpty {
      throw ValidationError("there is no command: devrun [options] -- <command>")
    }
    if options.target != nil && options.newPod {
      throw ValidationError("--target and --new-pod exclude each other")
    }
  }

  /// Checks all that can be checked before the cluster is touched, then parts into the front and the keeper.
  func run() throws {
    let process = ProcessContext()
    let arguments = ProcessArguments.last(command.count - (command.first == "--" ? 1 : 0))
    let executable = try ExecutableSearch(path: process.environment["PATH"]).find(arguments[0])
    let project = try process.project()
    let (sessionOptions, warnings) = try options.sessionOptions(process, project)
    let access = try options.cluster.access(process, project: project)
    let reporter = RunReporter(
      terminal: ProgressReport(terminal: Terminal(), verbosity: options.cluster.verbosity))
    options.cluster.announceKubeconfig(of: project, reporter)
    for warning in warnings { reporter.report(.warning(ErrorMessage(warning))) }
    let places = VolumePlaces(
      environment: process.environment, workingDirectory: RawString(process.workingDirectory), executable: executable,
      force: options.forceVolumes)
    try checkMountPaths(sessionOptions, places)
    guard var sessionOptions else {
      let restoration = Restoration(access: access, process: process, reporter: reporter)
      return try reporter.reportingFailure {
        let candidates = try runBlocking { try await restoration.candidates() }
        throw SessionError.noTarget(namespace: access.namespace, candidates: candidates)
      }
    }
    sessionOptions.otherNamespaces = access.otherNamespaces
    sessionOptions.restoreCommand = options.cluster.restoreCommand(access, project: project)
    let session = try Session(
      access: access, options: sessionOptions, environment: process.environment, user: process.user,
      hostname: process.hostname, reporter: reporter)
    let program = ProgramInvocation(executable: executable, arguments: arguments)
    let run = CommandRun(
      session: session, program: program, isolation: options.isolation ?? project.isolation ?? .automatic,
      places: places, showsVolumes: sessionOptions.localEnv.volumeReferences.contains { $0.mountPath != nil },
      waitsForDescendants: options.wait, reporter: reporter)
    try CommandProcess(session: session, reporter: reporter, environment: process.environment).run(run.hold)
  }

  /// Checks, before the cluster is touched, that each volume can be shown at the path that a file gives it.
  private func checkMountPaths(_ session: SessionOptions?, _ places: VolumePlaces) throws {
    for volume in session?.localEnv.volumeReferences ?? [] {
      guard let path = volume.mountPath else { continue }
      do throws(MountError) {
        try places.check(named: RawString(path))
      } catch {
        throw MountPathError(volume: volume, cause: error)
      }
    }
  }
}
