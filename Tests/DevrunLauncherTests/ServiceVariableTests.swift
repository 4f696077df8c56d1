import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Variables of a service manager", .sharingTheMachine)
struct ServiceVariableTests {
  /// Runs a command by a devrun that a service manager has started, as it would: with the id of the process that it has
  /// started in the place of `@ID@`, and the inode of that process's pidfd in the place of `@INODE@`.
  private func run(_ variables: [String], _ program: String, as example: IsolationCase) async throws -> Outcome {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-c", program]))
    script.plan.hostsFile = RawString(try fixture.write("hosts", "127.201.0.1 private\n"))
    script.isolate(as: example)
    let entries = script.plan.environment.entries + variables.map { RawString($0) }
    script.plan.environment = EnvironmentVariables(entries: entries)
    let line = try fixture.commandLine(script)
    let manager = """
      import os, sys
      text = open(sys.argv[2]).read()
      inode = os.fstat(os.pidfd_open(os.getpid())).st_ino
      for name, value in ('@ID@', os.getpid()), ('@INODE@', inode):
        # Words are written as lists of bytes.
        old, new = [','.join(str(byte) for byte in word.encode()) for word in (name, str(value))]
        text = text.replace(old, new)
      own = sys.argv[2] + '.own'
      open(own, 'w').write(text)
      os.set_inheritable(os.dup2(os.open('/dev/zero', os.O_RDONLY), 3), True)
      os.execv(sys.argv[1], [sys.argv[1], own])
      """
    return try await TestProcess(
      example.user.command(["python3", "-c", manager] + line), keeping: fixture
    ).outcome()
  }

  @Test(arguments: IsolationCase.all)
  func `Sockets and the watchdog of a service are the command's`(example: IsolationCase) async throws {
    let outcome = try await run(
      [
        "LISTEN_FDS=1", "LISTEN_PID=@ID@", "WATCHDOG_PID=@ID@", "SYSTEMD_EXEC_PID=@ID@", "LISTEN_PIDFDID=@INODE@",
        "MY_LISTEN_PID=@ID@",
      ],
      """
      import os
      own, see = os.getpid(), os.environ
      names = 'LISTEN_PID', 'WATCHDOG_PID', 'SYSTEMD_EXEC_PID', 'MY_LISTEN_PID'
      print([see[name] == str(own) for name in names])
      print(see['LISTEN_PIDFDID'] == str(os.fstat(os.pidfd_open(own)).st_ino), see['LISTEN_FDS'], os.read(3, 1))
      """, as: example)
    #expect(outcome.output == "[True, True, True, False]\nTrue 1 b'\\x00'\n" && outcome.errors == "", "\(outcome)")
  }

  @Test(arguments: IsolationCase.all)
  func `Variables of a service that name another process stay as they are`(example: IsolationCase) async throws {
    let outcome = try await run(
      ["LISTEN_FDS=1", "LISTEN_PID=1", "LISTEN_PIDFDID=7", "WATCHDOG_PID=", "SYSTEMD_EXEC_PID=@ID@0"],
      """
      import os
      names = 'LISTEN_PID', 'LISTEN_PIDFDID', 'WATCHDOG_PID', 'LISTEN_FDS'
      print(*[os.environ[name] for name in names], os.environ['SYSTEMD_EXEC_PID'].endswith('0'))
      """, as: example)
    #expect(outcome.output == "1 7  1 True\n" && outcome.errors == "", "\(outcome)")
  }
}
