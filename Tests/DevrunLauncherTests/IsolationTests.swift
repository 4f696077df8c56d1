import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Isolation on machines with restrictions", .sharingTheMachine)
struct IsolationTests {
  /// Runs `cat /etc/hosts` with a private hosts file where the calls are forbidden.
  private func run(
    forbidding calls: String, isolation: IsolationChoice, as user: TestUser
  ) async throws -> (outcome: Outcome, log: String) {
    let fixture = try LaunchFixture()
    let forbid = try await fixture.compile("forbid", CallFilter.program)
    var script = LaunchScript(plan: try LaunchFixture.plan(["cat", "/etc/hosts"]))
    script.plan.hostsFile = RawString(try fixture.write("hosts", "private\n"))
    script.isolation = isolation
    script.log = try fixture.write("log", "")
    chmod(fixture.path("log"), 0o666)
    let line = try fixture.commandLine(script)
    // Forbidden to the launch alone: not to what makes the user.
    let outcome = try await TestProcess(user.command([forbid, calls] + line)).outcome()
    return (outcome, try String(contentsOfFile: fixture.path("log"), encoding: .utf8))
  }

  private static let write = "1"
  private static let unshare = "272"
  private static let mount = "165,428,429"
  private static let seccomp = "317"

  @Test(
    .enabled(if: is64BitX86, "an x86-64 machine is needed"),
    arguments: [unshare, "\(unshare):\(ENOSPC)", mount, "428"], TestUser.available)
  func `Automatic isolation falls back to trap if namespaces or mounts are forbidden`(
    calls: String, user: TestUser
  ) async throws {
    let (outcome, log) = try await run(forbidding: calls, isolation: .automatic, as: user)
    #expect(outcome.output == "private\n" && outcome.errors == "" && outcome.status == .exited(0))
    #expect(log.hasPrefix("isolation trap"))
  }

  @Test(
    .enabled(if: is64BitX86, "an x86-64 machine is needed"),
    arguments: [
      (unshare, "unprivileged_userns_clone"), ("\(unshare):\(ENOSPC)", "user.max_user_namespaces"), (mount, "AppArmor"),
    ])
  func `A requested user isolation that fails is reported with its cause and a remedy`(
    calls: String, word: String
  ) async throws {
    let (outcome, _) = try await run(forbidding: calls, isolation: .user, as: .own)
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains(word) && outcome.errors.contains("--isolation trap"))
  }

  /// What is written to /proc/self/setgroups, uid_map and gid_map has as many bytes. A user whose two numbers differ in
  /// length tells the maps apart.
  @Test(
    .enabled(if: is64BitX86 && getuid() == 0, "root is needed, on an x86-64 machine"),
    arguments: [(4, "giving up the change of groups"), (13, "mapping the user"), (5, "mapping the group")])
  func `A user namespace without mappings leads to trap, or to an error if it was requested`(
    length: Int, words: String
  ) async throws {
    let user = TestUser(id: 65534, group: 7)
    let call = "\(Self.write)@\(length)"
    let (outcome, log) = try await run(forbidding: call, isolation: .automatic, as: user)
    #expect(outcome.output == "private\n" && outcome.errors == "" && outcome.status == .exited(0))
    #expect(log.hasPrefix("isolation trap"))
    let (refused, _) = try await run(forbidding: call, isolation: .user, as: user)
    #expect(refused.output == "" && refused.status == .exited(125))
    for part in [words, "AppArmor", "--isolation trap"] { #expect(refused.errors.contains(part)) }
  }

  @Test(
    .enabled(if: is64BitX86 && getuid() == 0, "root is needed, on an x86-64 machine"),
    arguments: [
      (unshare, "--isolation user"), ("\(unshare):\(ENOSPC)", "user.max_mnt_namespaces"), (mount, "docker"),
      ("429:\(ENOSPC)", "fs.mount-max"),
    ])
  func `A mount isolation that fails for root is reported with its cause and a remedy`(
    calls: String, word: String
  ) async throws {
    let (outcome, _) = try await run(forbidding: calls, isolation: .mount, as: .own)
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains(word) && outcome.errors.contains("--isolation trap"))
  }

  @Test(arguments: TestUser.available.filter { $0 == .nobody || getuid() != 0 })
  func `A mount isolation without CAP_SYS_ADMIN fails, and the missing capability is reported`(
    user: TestUser
  ) async throws {
    let (outcome, _) = try await run(forbidding: "999", isolation: .mount, as: user)
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains("CAP_SYS_ADMIN") && outcome.errors.contains("--isolation user"))
  }

  @Test(
    .enabled(if: is64BitX86, "an x86-64 machine is needed"),
    arguments: [
      (seccomp, "seccomp=unconfined"), ("\(seccomp):\(ENOSYS)", "5.9"), ("\(seccomp):\(EINVAL)", "5.9"),
      ("\(seccomp):\(EBUSY)", "another devrun"),
    ], IsolationChoice.allCases.filter { $0 != .mount })
  func `A launch fails with a reported cause if connections cannot be redirected`(
    _ example: (calls: String, word: String), isolation: IsolationChoice
  ) async throws {
    let (outcome, _) = try await run(forbidding: example.calls, isolation: isolation, as: .own)
    #expect(outcome.output == "" && outcome.status == .exited(125))
    #expect(outcome.errors.contains("filter for connections") && outcome.errors.contains(example.word))
  }

  // process_vm_readv.
  @Test(
    .enabled(if: is64BitX86, "an x86-64 machine is needed"),
    arguments: ["310"], IsolationChoice.allCases.filter { $0 != .mount })
  func `A launch fails before it begins if trapped connections cannot be redirected`(
    calls: String, isolation: IsolationChoice
  ) async throws {
    let (outcome, _) = try await run(forbidding: calls, isolation: isolation, as: .own)
    #expect(outcome.output == "" && outcome.status == .exited(125), "\(outcome)")
    #expect(outcome.errors.contains("redirecting a connection") && outcome.errors.contains("SYS_PTRACE"), "\(outcome)")
  }
}
