import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// A volume at a missing path leaves the folder around it as it is.
@Suite("Mount points of volumes", .sharingTheMachine)
struct MountPointTests {
  private func fixtureWithProject(of user: TestUser) throws -> LaunchFixture {
    let fixture = try LaunchFixture()
    mkdir(fixture.path("volume"), 0o755)
    try fixture.write("volume/token", "secret\n")
    mkdir(fixture.path("project"), 0o755)
    try user.own(fixture.path("project"), mode: 0o755)
    try fixture.write("project/main.c", "old\n")
    try user.own(fixture.path("project/main.c"), mode: 0o644)
    return fixture
  }

  private func script(
    _ text: String, _ example: IsolationCase, in fixture: LaunchFixture, at path: String
  ) throws -> LaunchScript {
    var script = LaunchScript(plan: try LaunchFixture.plan(["sh", "-c", text]))
    script.isolate(as: example)
    script.plan.mounts = [.init(source: RawString(fixture.path("volume")), target: RawString(fixture.path(path)))]
    return script
  }

  /// Runs a script in the project's folder.
  private func run(
    _ text: String, _ example: IsolationCase, in fixture: LaunchFixture, at path: String
  ) async throws -> Outcome {
    let line = try fixture.commandLine(script(text, example, in: fixture, at: path), as: example.user)
    return try await TestProcess(
      ["sh", "-c", "cd \(fixture.path("project")) && exec \"$@\"", "sh"] + line, keeping: fixture
    ).outcome()
  }

  private func text(_ path: String) throws -> String { try String(contentsOfFile: path, encoding: .utf8) }

  @Test(arguments: IsolationCase.mounting)
  func `What the command writes beside a volume lasts, and a file is replaced as by an editor`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try fixtureWithProject(of: example.user)
    let project = fixture.path("project")
    let outcome = try await run(
      """
      cat config/deep/token; echo new > new.c; mkdir build; echo new > main.c~ && mv main.c~ main.c
      basename $(dirname $(mktemp -p .)); python3 -c 'import os; print(os.getcwd())'; ls -A \(project) | wc -l
      """, example, in: fixture, at: "project/config/deep")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    #expect(outcome.output == "secret\n.\n\(project)\n5\n")
    #expect(try text("\(project)/new.c") == "new\n" && text("\(project)/main.c") == "new\n")
    #expect(FileManager.default.fileExists(atPath: "\(project)/build"))
    #expect(!FileManager.default.fileExists(atPath: "\(project)/config"))
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path("volume")) == ["token"])
  }

  @Test(arguments: IsolationCase.mounting)
  func `What the command adds to the folder of a mount point stays`(_ example: IsolationCase) async throws {
    let fixture = try fixtureWithProject(of: example.user)
    let outcome = try await run("echo mine > config/own", example, in: fixture, at: "project/config/deep")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    let config = fixture.path("project/config")
    #expect(try FileManager.default.contentsOfDirectory(atPath: config) == ["own"])
    let attributes = try FileManager.default.attributesOfItem(atPath: config)
    #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o755)
  }

  @Test(.enabled(if: getuid() == 0, "root is needed"), arguments: [IsolationChoice.mount, .user])
  func `In a folder that is not the user's nothing is made, and nothing written is lost`(
    _ isolation: IsolationChoice
  ) async throws {
    let example = IsolationCase(isolation: isolation, user: .nobody)
    let fixture = try fixtureWithProject(of: .own)
    let outcome = try await run(
      """
      cat config/deep/token main.c; python3 -c 'import os; print(os.getcwd())'
      for place in new config/new; do { echo lost > $place; } 2>/dev/null && echo written; done
      stat -c %a .
      """, example, in: fixture, at: "project/config/deep")
    #expect(outcome.errors == "")
    #expect(outcome.output == "secret\nold\n\(fixture.path("project"))\n755\n")
    #expect(try FileManager.default.contentsOfDirectory(atPath: fixture.path("project")) == ["main.c"])
  }

  @Test(.enabled(if: getuid() == 0, "root is needed"), arguments: [IsolationChoice.mount, .user])
  func `What changes in a folder that is not the user's is seen by the command, and its volume stays`(
    _ isolation: IsolationChoice
  ) async throws {
    let example = IsolationCase(isolation: isolation, user: .nobody)
    let fixture = try fixtureWithProject(of: .own)
    for folder in ["remade", "gone"] { mkdir(fixture.path("project/\(folder)"), 0o755) }
    for file in ["remade/file", "turned"] { try fixture.write("project/\(file)", "old\n") }
    try FileManager.default.createSymbolicLink(
      atPath: fixture.path("project/link"), withDestinationPath: "main.c")
    // The view follows the machine at once, but not at the same moment.
    let look = """
      cat config/token; read line
      until [ "$(cat new main.c remade/file link turned/file 2>&1)" = "$line" ] && [ ! -e gone ]; do sleep 0.01; done
      cat config/token; ls; readlink link
      """
    let line = try fixture.commandLine(script(look, example, in: fixture, at: "project/config"), as: .nobody)
    let process = try TestProcess(
      ["bash", "-c", "cd \(fixture.path("project")) && exec \"$@\"", "bash"] + line, keeping: fixture)
    try await process.output.wait(for: "secret\n")
    let project = fixture.path("project")
    for file in ["new", "main.c.new"] { try fixture.write("project/\(file)", "one ") }
    rename("\(project)/main.c.new", "\(project)/main.c")
    try FileManager.default.removeItem(atPath: "\(project)/remade")
    mkdir("\(project)/remade", 0o755)
    try fixture.write("project/remade/file", "two ")
    try FileManager.default.createSymbolicLink(atPath: "\(project)/link.new", withDestinationPath: "remade/file")
    rename("\(project)/link.new", "\(project)/link")
    unlink("\(project)/turned")
    mkdir("\(project)/turned", 0o755)
    try fixture.write("project/turned/file", "three")
    rmdir("\(project)/gone")
    mkdir("\(project)/config", 0o755)
    try process.write("one one two two three\n")
    let outcome = try await process.outcome()
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    #expect(outcome.output == "secret\nsecret\nconfig\nlink\nmain.c\nnew\nremade\nturned\nremade/file\n")
  }

  @Test(arguments: IsolationCase.mounting)
  func `A mount point of a killed run is listed in its record, by which the next removes it`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try fixtureWithProject(of: example.user)
    var script = try script("echo started; exec sleep 60", example, in: fixture, at: "project/config/deep")
    mkdir(fixture.path("killed"), 0o755)
    try example.user.own(fixture.path("killed"), mode: 0o755)
    let record = RawString(fixture.path("killed/mount-points"))
    script.plan.mountPointRecord = record
    let process = try TestProcess(fixture.commandLine(script, as: example.user), keeping: fixture)
    try await process.output.wait(for: "started")
    #expect(FileManager.default.fileExists(atPath: fixture.path("project/config/deep")))
    let listed = try Data(contentsOf: URL(fileURLWithPath: record.description)).split(separator: 0)
    #expect(
      listed.map { String(decoding: $0, as: UTF8.self) }
        == [fixture.path("project/config"), fixture.path("project/config/deep")])
    process.signal(SIGKILL)
    _ = try await process.status()
  }
}
