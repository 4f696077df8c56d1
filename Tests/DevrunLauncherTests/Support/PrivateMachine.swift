import CLinux
import DevrunCore
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

/// This machine with other mounts, which only the processes of one test see.
enum PrivateMachine {
  /// Whether there can be one.
  static var isToBeHad: Bool { devrun_has_sys_admin() }
  /// Why there is none.
  static let need: Comment = "CAP_SYS_ADMIN is needed, for mounts of the test's own"

  /// The command line that runs a command there.
  ///
  /// - Parameters:
  ///   - setup: shell commands that make the machine.
  ///   - check: shell commands afterwards, whose failure fails the whole with 99.
  static func commandLine(_ setup: String, _ command: [String], check: String = "true") -> [String] {
    let script = "\(setup)\nset +e; \"$@\"; status=$?; { \(check); } || status=99; exit $status"
    return ["unshare", "--mount", "--propagation", "private", "sh", "-ec", script, "sh"] + command
  }

  /// Puts an overlay over /etc, so that the test may change what is there.
  static func overEtc(_ fixture: LaunchFixture) -> String {
    let space = fixture.path("space")
    return """
      mkdir -p \(space); mount -t tmpfs tmpfs \(space); mkdir \(space)/upper \(space)/work
      mount -t overlay overlay -o lowerdir=/etc,upperdir=\(space)/upper,workdir=\(space)/work /etc
      """
  }

  /// Makes an overlay of the root the root.
  static func overRoot(_ fixture: LaunchFixture) -> String {
    let space = fixture.path("space")
    return """
      mkdir -p \(space); mount -t tmpfs tmpfs \(space); mkdir \(space)/upper \(space)/work \(space)/root
      mount -t overlay overlay -o lowerdir=/,upperdir=\(space)/upper,workdir=\(space)/work \(space)/root
      cd \(space)/root; for d in proc dev sys tmp; do mount --rbind /$d $d; done
      mkdir old-root; pivot_root . old-root; cd /; umount -l old-root
      """
  }
}

extension LaunchFixture {
  /// Runs a launch of the command on a machine of its own.
  func run(
    _ command: [String], on setup: String, as user: TestUser = .own, check: String = "true",
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    var script = LaunchScript(plan: try Self.plan(command))
    change(&script)
    let line = PrivateMachine.commandLine(setup, try commandLine(script, as: user), check: check)
    return try await TestProcess(line, keeping: self).outcome()
  }
}
