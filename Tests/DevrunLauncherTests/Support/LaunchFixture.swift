import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Synchronization
import Testing
import devrun_launch

@testable import DevrunLauncher

/// The user that a launch is tried as.
enum TestUser: String, CaseIterable, CustomTestStringConvertible {
  /// Who runs the tests.
  case own
  /// Nobody, where the tests are run by root.
  case ordinary

  /// Those that there are: root tries both.
  static var available: [TestUser] { getuid() == 0 ? allCases : [.own] }

  /// What a command is prefixed with to be run by the user.
  var prefix: [String] {
    self == .own ? [] : ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
  }

  var testDescription: String { self == .ordinary ? "nobody" : getuid() == 0 ? "root" : "the own user" }
}

/// A folder and the processes of a test, gone with it.
final class LaunchFixture: Sendable {
  /// The folder of the test, which all users may write to.
  let folder: String
  private let count = Atomic(0)

  init() throws {
    var template = Array("/tmp/devrun-test-XXXXXX".utf8CString)
    folder = try #require(mkdtemp(&template).map { String(cString: $0) })
    chmod(folder, 0o777)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  /// The path of a file of the folder.
  func path(_ name: String) -> String { "\(folder)/\(name)" }

  /// Writes a file that all may read.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path(name)))
    chmod(path(name), 0o755)
    return path(name)
  }

  /// Writes a program. By another process: if this one did, those that it starts meanwhile would hold the file open for
  /// writing for a moment, and it could not be executed.
  func writeProgram(_ name: String, _ text: String) async throws -> String {
    let source = try write("\(name).text", text)
    let copy = try SpawnedProcess(["cp", source, path(name)], keeping: nil)
    try #require(await copy.status() == .exited(0))
    return path(name)
  }

  /// A plan to run the command as it is, found in PATH.
  static func plan(_ command: [String]) throws -> LaunchPlan {
    let environment = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "HOME=/tmp"]
    return LaunchPlan(
      executable: try ExecutableSearch(path: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin").find(
        RawString(command[0])),
      arguments: command.map { RawString($0) },
      environment: EnvironmentVariables(entries: environment.map { RawString($0) }), isolation: .user)
  }

  /// The command line that runs a launch.
  func commandLine(_ script: LaunchScript, as user: TestUser = .own) throws -> [String] {
    let number = count.add(1, ordering: .relaxed).newValue
    let file = try write("script-\(number).json", String(decoding: JSONEncoder().encode(script), as: UTF8.self))
    return user.prefix + [try Self.launcher(), file]
  }

  /// Starts a launch of the command.
  ///
  /// - Parameter change: what else the script says.
  func launch(
    _ command: [String], as user: TestUser = .own, place: SpawnedProcess.Place = .ownGroup,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) throws -> SpawnedProcess {
    var script = LaunchScript(plan: try Self.plan(command))
    change(&script)
    return try SpawnedProcess(commandLine(script, as: user), place: place, keeping: self)
  }

  /// Runs a launch of the command to its end.
  func run(
    _ command: [String], as user: TestUser = .own, _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    let process = try launch(command, as: user, change)
    process.closeInput()
    return await Outcome(
      status: process.status(), output: process.output.whole(), errors: process.errors.whole())
  }

  /// What came of a launch.
  struct Outcome {
    var status: WaitStatus
    var output: String
    var errors: String
  }

  /// The program that launches without a cluster: built beside the tests, or another build that DEVRUN_LAUNCH names.
  private static func launcher() throws -> String {
    if let other = ProcessInfo.processInfo.environment["DEVRUN_LAUNCH"] { return other }
    let path = built("devrun-launch")
    try #require(access(path, X_OK) == 0, "the launcher is not beside the tests: \(path)")
    return path
  }

  /// The path of a program that is built beside the tests.
  static func built(_ name: String) -> String {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
      .appendingPathComponent(name).path
  }
}
