import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("End of the command", .sharingTheMachine)
struct ExitStatusTests {
  @Test(arguments: [0, 1, 7, 125, 255], TestUser.available)
  func `devrun exits with the command's status and prints nothing of its own`(
    status: Int32, user: TestUser
  ) async throws {
    let outcome = try await LaunchFixture().run(["sh", "-c", "exit \(status)"], as: user)
    #expect(outcome.status == .exited(status))
    #expect(outcome.output == "" && outcome.errors == "")
  }

  @Test(arguments: [SIGTERM, SIGKILL, SIGSEGV, SIGABRT])
  func `devrun dies of the same signal as the command and dumps no core`(signal: Int32) async throws {
    let outcome = try await LaunchFixture().run(["sh", "-c", "kill -\(signal) $$"])
    #expect(outcome.status == .killed(signal, coreDumped: false))
  }

  @Test func `A script with a missing interpreter gives 127, and a path below a file gives 126`() async throws {
    let fixture = try LaunchFixture()
    let script = try await fixture.writeProgram("broken", "#!/nonexistent/interpreter\n")
    let outcome = try await fixture.run(["true"]) { $0.plan.executable = RawString(script) }
    #expect(outcome.status == .exited(127))
    #expect(outcome.errors.contains("interpreter"))
    let text = try fixture.write("text", "neither\u{0}program nor script")
    let other = try await fixture.run(["true"]) { $0.plan.executable = RawString("\(text)/below") }
    #expect(other.status == .exited(126))
  }

  @Test func `A script without an interpreter line is run by the shell`() async throws {
    let fixture = try LaunchFixture()
    let script = try await fixture.writeProgram("plain", "echo \"$0 $1\"\nexit 3\n")
    let outcome = try await fixture.run(["true"]) { script_ in
      script_.plan.executable = RawString(script)
      script_.plan.arguments = ["plain", "argument"]
    }
    #expect(outcome.status == .exited(3))
    #expect(outcome.output == "\(script) argument\n")
  }

  @Test func `An environment variable that is too long is reported by name and size, without its value`() async throws {
    let outcome = try await LaunchFixture().run(["true", String(repeating: "a", count: 2_000)]) {
      $0.plan.environment.set("LONG", to: RawString(String(repeating: "secret", count: 34_000)), from: .shell)
    }
    #expect(outcome.status == .exited(126))
    #expect(outcome.errors.contains("the largest: LONG (199.2Ki), argument 1 ("))
    #expect(!outcome.errors.contains("secret"))
  }

  @Test func `An environment that is too large as a whole is reported with its largest variables`() async throws {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["true"]))
    for number in 0..<12 {
      script.plan.environment.set(
        RawString("PART_\(number)"), to: RawString(String(repeating: "x", count: 100_000)), from: .shell)
    }
    // A quarter of the stack's limit: a megabyte.
    let process = try TestProcess(
      ["sh", "-c", "ulimit -s 4096; exec \"$@\"", "sh"] + fixture.commandLine(script), keeping: fixture)
    #expect(try await process.status() == .exited(126))
    #expect(try await process.errors.whole().contains("they take 12001"))
    #expect(process.errors.text.contains("the largest: PART_10 (97.7Ki), PART_11 (97.7Ki), PART_0 (97.7Ki)"))
  }
}
