import DevrunCore
import Foundation
import Glibc
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("The end of the command", .timeLimit(.minutes(15)), .sharingTheMachine)
struct ExitStatusTests {
  @Test("is devrun's own exit status", arguments: [0, 1, 7, 125, 255], TestUser.available)
  func exitStatus(status: Int32, user: TestUser) async throws {
    let outcome = try await LaunchFixture().run(["sh", "-c", "exit \(status)"], as: user)
    #expect(outcome.status == .exited(status))
    #expect(outcome.output == "" && outcome.errors == "")
  }

  @Test("by a signal is devrun's death by it, without a core dump", arguments: [SIGTERM, SIGKILL, SIGSEGV, SIGABRT])
  func death(signal: Int32) async throws {
    let outcome = try await LaunchFixture().run(["sh", "-c", "kill -\(signal) $$"])
    #expect(outcome.status == .killed(signal, coreDumped: false))
  }

  @Test("is told when the command cannot be executed")
  func notExecutable() async throws {
    let fixture = try LaunchFixture()
    let script = try await fixture.writeProgram("broken", "#!/nonexistent/interpreter\n")
    let outcome = try await fixture.run(["true"]) { $0.plan.executable = RawString(script) }
    #expect(outcome.status == .exited(127))
    #expect(outcome.errors.contains("interpreter"))
    let text = try fixture.write("text", "neither\u{0}program nor script")
    let other = try await fixture.run(["true"]) { $0.plan.executable = RawString("\(text)/below") }
    #expect(other.status == .exited(126))
  }

  @Test("of a script without an interpreter line is that of the shell")
  func scriptWithoutInterpreter() async throws {
    let fixture = try LaunchFixture()
    let script = try await fixture.writeProgram("plain", "echo \"$0 $1\"\nexit 3\n")
    let outcome = try await fixture.run(["true"]) { script_ in
      script_.plan.executable = RawString(script)
      script_.plan.arguments = ["plain", "argument"]
    }
    #expect(outcome.status == .exited(3))
    #expect(outcome.output == "\(script) argument\n")
  }

  @Test("is told with sizes, and what is largest, when one variable is too long")
  func tooLong() async throws {
    let outcome = try await LaunchFixture().run(["true", String(repeating: "a", count: 2_000)]) {
      $0.plan.environment.append(RawString("LONG=" + String(repeating: "secret", count: 34_000)))
    }
    #expect(outcome.status == .exited(126))
    #expect(outcome.errors.contains("the largest: LONG (199.2Ki), argument 1 ("))
    #expect(!outcome.errors.contains("secret"))
  }

  @Test("is told with sizes when all of the environment is too large together")
  func tooMuch() async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["true"]))
    for number in 0..<12 {
      script.plan.environment.append(RawString("PART_\(number)=" + String(repeating: "x", count: 100_000)))
    }
    // A quarter of the stack's limit: a megabyte.
    let process = try SpawnedProcess(
      ["sh", "-c", "ulimit -s 4096; exec \"$@\"", "sh"] + fixture.commandLine(script), keeping: fixture)
    #expect(await process.status() == .exited(126))
    #expect(await process.errors.whole().contains("they take 12001"))
    #expect(process.errors.text.contains("the largest: PART_10 (97.7Ki), PART_11 (97.7Ki), PART_0 (97.7Ki)"))
  }
}
