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
      itself. Without a name, this command lists what is redirected, by whom and since when.
      """)

  @Argument(help: ArgumentHelp("The workloads to restore.", valueName: "kind/name"))
  var targets: [String] = []

  @Flag(help: "Restore everything in the namespace that any session has changed.")
  var all = false

  @OptionGroup var cluster: ClusterOptions

  func validate() throws {
    if all && !targets.isEmpty { throw ValidationError("--all and names exclude each other") }
  }

  func run() throws {
    let process = ProcessContext()
    let references = try targets.map(TargetReference.init(parsing:))
    let project = try ProjectFile.find(from: process.workingDirectory).map(ProjectFile.load) ?? ProjectFile()
    let access = try cluster.access(process, project: project)
    let terminal = Terminal()
    let restoration = Restoration(
      access: access, environment: process.environment,
      reporter: ProgressReport(terminal: terminal, verbosity: cluster.verbosity))
    guard all || !references.isEmpty else {
      let redirected = try runBlocking { try await restoration.redirected() }
      terminal.say(
        redirected.isEmpty
          ? "nothing in namespace \(access.namespace) is redirected"
          : (["redirected in namespace \(access.namespace):"]
            + redirected.map { "\($0.workload)  by \($0.holder) since \($0.since)" }
            + ["restore with: \(RestoreCommandLine.text(of: redirected[0].workload, in: access.namespace))"])
            .joined(separator: "\n"))
      return
    }
    let done = try runBlocking { try await restoration.restore(all ? nil : references) }
    guard !cluster.quiet else { return }
    terminal.say(done.isEmpty ? "there was nothing to restore" : "restored \(done.joined(separator: ", "))")
  }
}
