internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunSession
internal import DevrunWorkload

/// `devrun restore [KIND/NAME ... | --all]`
struct RestoreCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "restore",
    abstract: "Put back what an interrupted run has left changed in the cluster.",
    discussion: """
      A run puts back by itself what it has changed. If it could not do so, because the machine lost power or the \
      network was gone, this command does it, from any machine: what was there before is recorded on the workload \
      itself. Without a name, this command lists what sessions have changed or made, by whom and since when. Each name \
      in the list can be restored.
      """)

  @Argument(help: ArgumentHelp("The workloads to restore, or pods and ConfigMaps to remove.", valueName: "kind/name"))
  var targets: [String] = []

  @Flag(
    help: """
      Restore everything in the namespace that your sessions, or sessions that are dead, have changed. Live sessions of \
      others are left alone.
      """)
  var all = false

  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    if all && !targets.isEmpty { throw ValidationError("--all and names exclude each other") }
  }

  func run() throws {
    let process = ProcessContext()
    let references = try targets.map(RestoreReference.init(parsing:))
    let project = try process.project()
    let access = try cluster.access(process, project: project)
    let reporter = RunReporter(terminal: ProgressReport(terminal: Terminal(), verbosity: cluster.verbosity))
    cluster.announceKubeconfig(of: project, reporter)
    try reporter.reportingFailure { try restore(references, process, project, access, reporter) }
  }

  private func restore(
    _ references: [RestoreReference], _ process: ProcessContext, _ project: ProjectFile, _ access: ClusterAccess,
    _ reporter: RunReporter
  ) throws {
    let restoration = Restoration(access: access, process: process, reporter: reporter)
    let command = cluster.restoreCommand(access, project: project)
    guard all || !references.isEmpty else {
      let redirected = try runBlocking { try await restoration.redirected() }
      let remedy = "restore one with: \(command.text(of: "KIND/NAME"))"
      let lines = ["sessions in namespace \(access.namespace):"] + redirected + [remedy]
      reporter.report(
        .answer(
          redirected.isEmpty
            ? "nothing in namespace \(access.namespace) is redirected" : lines.joined(separator: "\n")))
      return
    }
    let outcome = try runBlocking { try await restoration.restore(all ? nil : references) }
    if !outcome.leftAlone.isEmpty {
      let message = ErrorMessage(
        "live sessions of others are left alone", why: outcome.leftAlone.joined(separator: "\n"),
        remedy: "end one with: \(command.text(of: "KIND/NAME"))")
      reporter.report(.warning(message))
    }
    if !cluster.quiet, !outcome.restored.isEmpty || outcome.failures.isEmpty {
      let restored = outcome.restored
      reporter.report(
        .answer(restored.isEmpty ? "there was nothing to restore" : "restored \(restored.joined(separator: ", "))"))
    }
    guard outcome.failures.isEmpty else {
      throw SessionError.notRestored(outcome.failures, remedy: "run the same command again")
    }
  }
}

extension Restoration {
  /// A restoration by the user of this process.
  init(access: ClusterAccess, process: ProcessContext, reporter: RunReporter) {
    self.init(
      access: access, environment: process.environment, holder: "\(process.user)@\(process.hostname)",
      reporter: reporter)
  }
}
