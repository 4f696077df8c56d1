import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Working directory of the command", .sharingTheMachine, .enabled(if: getuid() == 0, "root is needed"))
struct WorkingDirectoryTests {
  private static let look = "import os; print(os.getcwd()); print(open('file').read())"

  /// Runs the look as an ordinary user in a folder below one that only root may search, as sudo(8) leads to.
  private func outcome(
    _ isolation: IsolationChoice, _ change: (LaunchFixture, inout LaunchScript) throws -> Void
  ) async throws -> (Outcome, folder: String) {
    let fixture = try LaunchFixture()
    let example = IsolationCase(isolation: isolation, user: .nobody)
    for folder in ["closed", "closed/here", "volume"] { mkdir(fixture.path(folder), 0o755) }
    try fixture.write("closed/here/file", "text")
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-c", Self.look]))
    script.plan.hostsFile = RawString(try fixture.write("hosts", ""))
    script.isolate(as: example)
    try change(fixture, &script)
    let line = try fixture.commandLine(script, as: .nobody)
    chmod(fixture.path("closed"), 0o700)
    let folder = fixture.path("closed/here")
    let process = try TestProcess(["sh", "-c", "cd \(folder) && exec \"$@\"", "sh"] + line, keeping: fixture)
    return (try await process.outcome(), folder)
  }

  @Test(arguments: [IsolationChoice.mount, .user])
  func `The working directory keeps its name where the user may not go to it by that`(
    _ isolation: IsolationChoice
  ) async throws {
    let (outcome, folder) = try await outcome(isolation) { _, _ in }
    #expect(outcome.output == "\(folder)\ntext\n" && outcome.errors == "")
  }

  @Test(arguments: [IsolationChoice.mount, .user])
  func `A volume that would take the working directory away is refused`(_ isolation: IsolationChoice) async throws {
    let (outcome, _) = try await outcome(isolation) { fixture, script in
      script.plan.mounts = [.init(source: RawString(fixture.path("volume")), target: "/devrun-test-volume")]
    }
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains("nothing can be shown in '/'"), "\(outcome)")
    #expect(outcome.errors.contains("working directory"))
  }
}
