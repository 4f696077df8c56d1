import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// What a test of the launcher starts: launches, with a folder for what they read and write.
final class LaunchFixture: Sendable {
  /// The folder of the test, which all users may write to.
  let folder: TemporaryFolder
  private let count = Atomic(0)

  init() throws { folder = try TemporaryFolder(mode: 0o777) }

  /// The path of a file of the folder.
  func path(_ name: String) -> String { folder.path(name) }

  /// Writes a file that all may read and execute.
  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try folder.write(name, text, mode: 0o755) }

  /// Writes a program. By another process: if this one did, those that it starts meanwhile would hold the file open for
  /// writing for a moment, and it could not be executed.
  func writeProgram(_ name: String, _ text: String) async throws -> String {
    let source = try write("\(name).text", text)
    try await TestProcess.run(["cp", source, path(name)])
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
    var script = script
    if script.plan.mountPointRecord == nil {
      let session = path("session-\(number)")
      mkdir(session, 0o777)
      chmod(session, 0o777)
      script.plan.mountPointRecord = RawString("\(session)/mount-points")
    }
    let file = try write("script-\(number).json", String(decoding: JSONEncoder().encode(script), as: UTF8.self))
    return user.command([try Self.launcher(), file])
  }

  /// Starts a launch of the command.
  ///
  /// - Parameter change: what else the script says.
  func launch(
    _ command: [String], as user: TestUser = .own, place: TestProcess.Place = .ownGroup,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) throws -> TestProcess {
    var script = LaunchScript(plan: try Self.plan(command))
    change(&script)
    return try TestProcess(commandLine(script, as: user), place: place, keeping: self)
  }

  /// Runs a launch of the command to its end.
  func run(
    _ command: [String], as user: TestUser = .own, _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    try await launch(command, as: user, change).outcome()
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
