internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunSession
internal import DevrunSystem
internal import DevrunView

/// Which variables the command gets, beside those of this shell.
struct EnvironmentOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Default: azds-local.env and KubernetesLocalProcessConfig.yaml, here or in the nearest folder above; repeatable.",
      valueName: "file"))
  var envFile: [String] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("A variable for the command; repeatable.", valueName: "name=value"))
  var env: [String] = []

  @Option(
    help: ArgumentHelp("Take of the container's variables only these; repeatable.", valueName: "pattern"))
  var envInclude: [String] = []

  @Option(help: ArgumentHelp("Leave out these of the container's variables; repeatable.", valueName: "pattern"))
  var envExclude: [String] = []

  /// What the files say, those that are named or those that are found.
  ///
  /// - Throws: `LocalEnvError`
  func localEnv(_ process: ProcessContext, _ project: ProjectFile) throws -> (LocalEnvFile, warnings: [String]) {
    let files = envFile.isEmpty ? project.envFiles : envFile
    let localEnv = try EnvironmentFiles.load(
      files.isEmpty ? EnvironmentFiles.find(from: process.workingDirectory) : files)
    return (localEnv, localEnv.warnings.map(\.description))
  }

  /// The options of a session.
  ///
  /// - Throws: `ValidationError`
  func options(
    target: SessionOptions.Target, container: String?, ports: [PortMapping], localEnv: LocalEnvFile,
    project: ProjectFile
  ) throws -> SessionOptions {
    var options = SessionOptions(
      target: target, container: container, ports: ports, localEnv: localEnv, variables: try env.map(Self.variable))
    options.projectVariables = project.environment
    options.containerVariables = NameFilter(
      included: envInclude.map { Wildcard($0) }, excluded: envExclude.map { Wildcard($0) })
    return options
  }

  /// `NAME=VALUE`
  private static func variable(_ text: String) throws -> EnvironmentVariables.Variable {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw ValidationError("--env takes NAME=VALUE, not '\(text)'")
    }
    return .init(
      name: RawString(String(text[..<equals])), value: RawString(String(text[text.index(after: equals)...])),
      origin: .option)
  }
}
