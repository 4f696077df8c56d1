internal import DevrunConfig
internal import DevrunCore
internal import DevrunSystem
internal import Foundation

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

  /// Whose files may configure devrun.
  var trust: ProjectTrust { ProjectTrust(environment: environment) }

  /// The options of the nearest `devrun.yaml`; without one, no options.
  ///
  /// - Throws: `ProjectTrustError`, `ProjectFileError` or `YAMLError`
  func project() throws -> ProjectFile {
    try ProjectFile.find(from: workingDirectory, trust: trust).map(ProjectFile.load) ?? ProjectFile()
  }

  /// The user's home.
  var home: String? { environment["HOME"]?.description }
}
