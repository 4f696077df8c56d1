internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunLauncher
internal import DevrunSystem
internal import Foundation

/// Which cluster, as which user, in which namespace: the options that every command has, as kubectl has them.
struct ClusterOptions: ParsableArguments {
  @Option(name: .shortAndLong, help: ArgumentHelp("The namespace; default: the context's.", valueName: "namespace"))
  var namespace: String?

  @Option(help: ArgumentHelp("The context of the kubeconfig; default: its current one.", valueName: "name"))
  var context: String?

  @Option(help: ArgumentHelp("The kubeconfig; default: KUBECONFIG, else ~/.kube/config.", valueName: "file"))
  var kubeconfig: String?

  @Flag(name: .shortAndLong, help: "Tell every step.")
  var verbose = false

  @Flag(name: .shortAndLong, help: "Tell nothing but errors.")
  var quiet = false

  func validate() throws {
    if verbose && quiet { throw ValidationError("--verbose and --quiet exclude each other") }
  }

  /// How much is told.
  var verbosity: ProgressReport.Verbosity { verbose ? .verbose : quiet ? .quiet : .normal }

  /// The cluster that these options, then the project's file, then the kubeconfig name.
  ///
  /// - Throws: `KubeconfigError`
  func access(_ process: ProcessContext, project: ProjectFile = ProjectFile()) throws -> ClusterAccess {
    let locations = Kubeconfig.Locations(
      file: kubeconfig ?? project.kubeconfig, environment: process.textEnvironment, home: process.home,
      workingDirectory: process.workingDirectory)
    return try Kubeconfig.access(
      from: locations, context: context ?? project.context, namespace: namespace ?? project.namespace)
  }
}

/// This process as its commands see it.
struct ProcessContext: Sendable {
  /// The environment, to the letter.
  let environment: EnvironmentVariables
  /// The working directory.
  let workingDirectory: String
  /// The user's name.
  let user: String
  /// The machine's name.
  let hostname: String

  /// This process.
  init() {
    environment = .current
    workingDirectory = FileManager.default.currentDirectoryPath
    user = NSUserName()
    hostname = ProcessInfo.processInfo.hostName
  }

  /// The environment where text is wanted.
  var textEnvironment: [String: String] {
    Dictionary(
      environment.map { ($0.name.description, $0.value.description) }, uniquingKeysWith: { first, _ in first })
  }

  /// The user's home.
  var home: String? { environment["HOME"]?.description }
}
