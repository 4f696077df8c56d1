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

  /// The user's home.
  var home: String? { environment["HOME"]?.description }
}
