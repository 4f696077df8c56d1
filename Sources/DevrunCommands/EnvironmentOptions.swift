internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunSession
internal import DevrunSystem
internal import DevrunView

/// The options that decide which variables the command gets, beside those of this shell.
struct EnvironmentOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      A file with variables and volumes; repeatable. Default: azds-local.env and KubernetesLocalProcessConfig.yaml, \
      here or in the nearest folder above.
      """, valueName: "file"), completion: .file())
  var envFile: [String] = []

  @Option(
    name: .shortAndLong, help: ArgumentHelp("A variable for the command; repeatable.", valueName: "name=value"),
    transform: { try EnvironmentOptions.variable($0) })
  var env: [EnvironmentVariables.Variable] = []

  @Option(
    help: ArgumentHelp(
      """
      Take only these variables of the container; * stands for any characters; repeatable. If all are names of \
      variables that devrun leaves out by default, such as JAVA_HOME, they are added to the others instead.
      """, valueName: "pattern"))
  var envInclude: [String] = []

  @Option(help: ArgumentHelp("Do not take these variables of the container; repeatable.", valueName: "pattern"))
  var envExclude: [String] = []

  @Option(
    help: ArgumentHelp(
      "Unset these variables of this shell and of the container; * stands for any characters; repeatable.",
      valueName: "pattern"))
  var envUnset: [String] = []

  /// Reads the files that are named, or else those that are found.
  ///
  /// - Throws: `LocalEnvError`; `ProjectTrustError` if others could have put a file there that no option names.
  func localEnv(_ process: ProcessContext, _ project: ProjectFile) throws -> (LocalEnvFile, warnings: [String]) {
    let option = "--env-file"
    var files = envFile
    if files.isEmpty {
      files = project.envFiles
      for file in files { try process.trust.check(file, option: option) }
    }
    if files.isEmpty {
      files = try EnvironmentFiles.find(from: process.workingDirectory, trust: process.trust, option: option)
    }
    let localEnv = try EnvironmentFiles.load(files, in: process.workingDirectory)
    return (localEnv, localEnv.warnings.map(\.description))
  }

  /// The options of a session.
  func options(
    target: SessionOptions.Target, container: String?, ports: [PortMapping], localEnv: LocalEnvFile,
    project: ProjectFile
  ) -> SessionOptions {
    var options = SessionOptions(
      target: target, container: container, ports: ports, localEnv: localEnv, variables: env)
    let unset = envUnset.map { Wildcard($0) }
    options.projectVariables = project.environment.filter { variable in
      !unset.contains { $0.matches(variable.name.description) }
    }
    options.unsetVariables = project.unsetVariables + unset
    options.containerVariables = NameFilter(
      included: envInclude.map { Wildcard($0) }, excluded: envExclude.map { Wildcard($0) })
    return options
  }

  /// `NAME=VALUE`
  private static func variable(_ text: String) throws -> EnvironmentVariables.Variable {
    guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
      throw ValidationError("write NAME=VALUE")
    }
    return .init(
      name: RawString(String(text[..<equals])), value: RawString(String(text[text.index(after: equals)...])),
      origin: .option)
  }
}
