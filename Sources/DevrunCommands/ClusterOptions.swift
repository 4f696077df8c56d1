internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunSession
internal import DevrunWorkload

/// The options that choose cluster, user and namespace as kubectl's do, and how much is printed.
struct ClusterOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("The namespace. Default: the context's.", valueName: "namespace"))
  var namespace: String?

  @Option(help: ArgumentHelp("The context of the kubeconfig. Default: the current one.", valueName: "name"))
  var context: String?

  @Option(
    help: ArgumentHelp("The kubeconfig. Default: KUBECONFIG, else ~/.kube/config.", valueName: "file"),
    completion: .file())
  var kubeconfig: String?

  @Flag(name: .shortAndLong, help: "Print every step.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "Print errors only.")
  var quiet = false

  func validate() throws {
    if verbose && quiet { throw ValidationError("--verbose and --quiet exclude each other") }
  }

  /// How much is printed.
  var verbosity: ProgressReport.Verbosity { verbose ? .verbose : quiet ? .quiet : .normal }

  /// The command line that restores what a run could not put back, on the same cluster.
  func restoreCommand(_ access: ClusterAccess, project: ProjectFile = ProjectFile()) -> RestoreCommandLine {
    RestoreCommandLine(
      namespace: access.namespace, context: context ?? project.context, kubeconfig: kubeconfig ?? project.kubeconfig)
  }

  /// The cluster that these options, then the project's file, then the kubeconfig name.
  ///
  /// - Throws: `KubeconfigError`; `ProjectTrustError` if the project's file names a kubeconfig of others.
  func access(_ process: ProcessContext, project: ProjectFile = ProjectFile()) throws -> ClusterAccess {
    if kubeconfig == nil, let file = project.kubeconfig { try process.trust.check(file, option: "--kubeconfig") }
    let locations = Kubeconfig.Locations(
      file: kubeconfig ?? project.kubeconfig, environment: process.textEnvironment, home: process.home,
      workingDirectory: process.workingDirectory)
    return try Kubeconfig.access(
      from: locations, context: context ?? project.context, namespace: namespace ?? project.namespace)
  }

  /// Prints which kubeconfig counts if the project's file names it: its credential plugins are programs.
  func announceKubeconfig(of project: ProjectFile, _ reporter: RunReporter) {
    guard !quiet, kubeconfig == nil, let file = project.kubeconfig, let source = project.path else { return }
    reporter.report(.answer("using the kubeconfig \(file), which \(source) names"))
  }
}
