import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// What each way to isolate changes for the child, beyond what it is for.
@Suite("Identity of the command", .sharingTheMachine)
struct IdentityTests {
  private static let asRoot: Comment = "root is needed"

  /// Runs a shell script.
  private func run(
    _ script: String, _ example: IsolationCase, in fixture: LaunchFixture? = nil
  ) async throws -> Outcome {
    let fixture = try fixture ?? LaunchFixture()
    let hosts = try fixture.write("hosts", "")
    return try await fixture.run(["sh", "-c", script], as: example.user) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
  }

  /// Whether the child is in a user namespace of devrun's.
  private func isInUserNamespace(_ example: IsolationCase) -> Bool {
    example.isolation == .user || example.isolation == .automatic && (example.user == .nobody || getuid() != 0)
  }

  @Test(arguments: IsolationCase.all)
  func `The command runs with the user and the group of its caller`(_ example: IsolationCase) async throws {
    let outcome = try await run("id -u; id -ru; id -g; id -rg", example)
    let (user, group) = example.user == .nobody ? (65534, 65534) : (getuid(), getgid())
    #expect(outcome.output == "\(user)\n\(user)\n\(group)\n\(group)\n")
  }

  @Test(arguments: IsolationCase.all)
  func `Files of other users appear as nobody's in a user namespace, and own files keep their owner`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let own = fixture.path("own")
    let outcome = try await run("stat -c %u:%g /etc/passwd; : > \(own); stat -c %u \(own)", example, in: fixture)
    let user = example.user == .nobody ? 65534 : getuid()
    let isRoot = user == 0
    let roots = isInUserNamespace(example) && !isRoot ? "65534:65534" : "0:0"
    #expect(outcome.output == "\(roots)\n\(user)\n")
    // On the machine it is the user's all the same.
    #expect(try FileManager.default.attributesOfItem(atPath: own)[.ownerAccountID] as? UInt == UInt(user))
  }

  @Test(.enabled(if: getuid() == 0, asRoot), arguments: [IsolationChoice.mount, .user, .trap])
  func `Supplementary groups stay in effect, but a user namespace hides their numbers`(
    isolation: IsolationChoice
  ) async throws {
    let fixture = try LaunchFixture()
    let file = try fixture.write("grouped", "for the group\n")
    try #require(chown(file, 0, 4242) == 0 && chmod(file, 0o640) == 0)
    var script = LaunchScript(plan: try LaunchFixture.plan(["sh", "-c", "cat \(file); id -G"]))
    script.plan.hostsFile = RawString(try fixture.write("hosts", ""))
    script.isolate(as: IsolationCase(isolation: isolation, user: .nobody))
    let user = TestUser(id: 1234, group: 1234, otherGroups: [4242])
    let process = try TestProcess(user.command(fixture.commandLine(script)), keeping: fixture)
    let groups = isolation == .user ? "1234 65534" : "1234 4242"
    #expect(try await process.output.whole() == "for the group\n\(groups)\n")
  }

  @Test(.enabled(if: getuid() == 0, asRoot), arguments: [IsolationChoice.mount, .user, .trap])
  func `Setuid programs gain nothing for an ordinary user, but work for root in a mount namespace`(
    isolation: IsolationChoice
  ) async throws {
    let fixture = try LaunchFixture()
    let program = try await fixture.compile(
      "who", "#include <stdio.h>\n#include <unistd.h>\nint main() { printf(\"%d\\n\", geteuid()); }\n")
    try #require(chmod(program, 0o4755) == 0)
    #expect(try await TestProcess.run(TestUser.nobody.command([program])).output == "0\n")
    let inside = try await run(program, .init(isolation: isolation, user: .nobody), in: fixture)
    #expect(inside.output == "65534\n" && inside.errors == "")
    // Where the user is root, another user's setuid programs work in a mount namespace alone.
    let other = TestUser.nobody.command([program]).joined(separator: " ")
    let mounted = try await run(other, .init(isolation: .mount, user: .own), in: fixture)
    #expect(mounted.output == (PrivateMachine.isToBeHad ? "0\n" : ""))
  }

  @Test(arguments: IsolationCase.all)
  func `no_new_privs is set only for ordinary users under trap or devrun-exec`(_ example: IsolationCase) async throws {
    let outcome = try await run("grep NoNewPrivs /proc/self/status", example)
    let isOrdinary = example.user == .nobody || getuid() != 0
    let givesUp = isOrdinary && [.mount, .trap].contains(example.isolation)
    #expect(outcome.output == "NoNewPrivs:\t\(givesUp ? 1 : 0)\n")
  }

  @Test(arguments: IsolationCase.all)
  func `The command can create a user namespace of its own and mount inside it`(_ example: IsolationCase) async throws {
    let outcome = try await run(
      "unshare --user --map-root-user --mount sh -c 'id -u; mount -t tmpfs none /mnt'", example)
    #expect(outcome.output == "0\n" && outcome.errors == "")
  }

  @Test(arguments: IsolationCase.all)
  func `The command can trace its children, and outside processes except from a user namespace`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let outside = try TestProcess(example.user.command(["sh", "-c", "echo $$; read line"]), keeping: fixture)
    try await outside.output.wait(for: "\n")
    let script = """
      import ctypes, os, subprocess, sys
      libc = ctypes.CDLL(None, use_errno=True)
      def trace(process):
        # PTRACE_SEIZE
        if libc.ptrace(0x4206, process, None, None) == 0: return "traced"
        return os.strerror(ctypes.get_errno())
      child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
      print("child:", trace(child.pid))
      print("outside:", trace(int(sys.argv[1])))
      """
    let file = try fixture.write("trace.py", script)
    let process = outside.output.text.dropLast()
    let outcome = try await run("python3 \(file) \(process)", example, in: fixture)
    outside.closeInput()
    let expected = isInUserNamespace(example) ? "Operation not permitted" : "traced"
    #expect(outcome.output == "child: traced\noutside: \(expected)\n" && outcome.errors == "")
  }

  @Test(
    .enabled(if: PrivateMachine.isToBeHad, PrivateMachine.need),
    .enabled(if: isInstalled("ssh"), "ssh is not installed"),
    arguments: [IsolationChoice.mount, .user, .trap])
  func `ssh refuses root's included configuration only in a user namespace, and accepts -F none`(
    isolation: IsolationChoice
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "")
    let setup = """
      \(PrivateMachine.overEtc(fixture))
      mkdir -p /etc/ssh/ssh_config.d; echo 'Include /etc/ssh/ssh_config.d/*.conf' > /etc/ssh/ssh_config
      echo 'Host *' > /etc/ssh/ssh_config.d/test.conf
      """
    for (command, isFine) in [("ssh -G somewhere", isolation != .user), ("ssh -F none -G somewhere", true)] {
      var script = LaunchScript(plan: try LaunchFixture.plan(["sh", "-c", "\(command) | grep -c '^hostname'"]))
      script.plan.hostsFile = RawString(hosts)
      script.isolate(as: IsolationCase(isolation: isolation, user: .nobody))
      // A user that there is, and whose number is not nobody's, as which root is seen.
      let line = try TestUser(id: 1, group: 1).command(fixture.commandLine(script))
      let process = try TestProcess(PrivateMachine.commandLine(setup, line), keeping: fixture)
      #expect(try await process.output.whole() == (isFine ? "1\n" : "0\n"))
      #expect(try await process.errors.whole().contains("Bad owner or permissions") == !isFine)
    }
  }
}
