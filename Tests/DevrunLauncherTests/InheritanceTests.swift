import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Inherited attributes", .sharingTheMachine)
struct InheritanceTests {
  /// Runs a shell script in which `$launch` stands for the launch of the command.
  private func shell(_ script: String, launching command: [String]) async throws -> Outcome {
    let fixture = try LaunchFixture()
    let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(command))).joined(separator: " ")
    return try await TestProcess(
      ["bash", "-c", "launch='\(line)'; \(Self.closeOthers); \(script)"], keeping: fixture
    ).outcome()
  }

  /// Closes what other tests of this process have opened at this moment without close-on-exec.
  private static let closeOthers =
    "for n in /proc/self/fd/*; do n=${n##*/}; [ $n -le 2 ] || eval \"exec $n>&-\"; done"

  @Test func `The command inherits each open descriptor of its caller and no other`() async throws {
    let outcome = try await shell(
      "exec 7</dev/null 250</dev/zero; $launch",
      launching: ["sh", "-c", "for n in /proc/self/fd/*; do printf '%s ' ${n##*/}; done"])
    // The shell's own glob reads the folder through 3.
    #expect(Set(outcome.output.split(separator: " ")).subtracting(["3"]) == ["0", "1", "2", "7", "250"])
    #expect(outcome.errors == "")
  }

  @Test func `A standard stream that is closed for devrun is closed for the command`() async throws {
    let outcome = try await shell(
      "$launch <&- 2>&-",
      launching: ["python3", "-c", "import os; print([n for n in range(3) if os.path.exists(f'/proc/self/fd/{n}')])"])
    #expect(outcome.output == "[1]\n")
  }

  @Test func `The command inherits umask, niceness, limit of open files and working directory`() async throws {
    let outcome = try await shell(
      "umask 027; ulimit -Sn 333; cd /usr/bin; nice -n 3 bash -c nice; nice -n 3 $launch",
      launching: ["bash", "-c", "nice; umask; ulimit -Sn; pwd"])
    let lines = outcome.output.split(separator: "\n")
    try #require(lines.count == 5, "\(outcome)")
    #expect(lines[0] == lines[1])
    #expect(lines[2...] == ["0027", "333", "/usr/bin"])
  }

  @Test func `The command inherits all limits, its scheduling, its CPU affinity and its OOM score`() async throws {
    let look = """
      prlimit --noheadings --output RESOURCE,SOFT,HARD; ulimit -a; umask; nice; taskset -p 0 | sed s/.*:// ; chrt -p 0 | \
      sed s/.*:// ; cat /proc/self/oom_score_adj /proc/self/timerslack_ns; ionice; pwd; grep Cpus_allowed: /proc/self/status
      """
    let fixture = try LaunchFixture()
    let file = try fixture.write("look.sh", look)
    let outcome = try await shell(
      """
      ulimit -c 0 -s 4096 -t 1000; ulimit -Sn 400; umask 037; echo 500 > /proc/self/oom_score_adj
      before=$(nice -n 5 taskset 1 bash \(file)); after=$(nice -n 5 taskset 1 $launch)
      diff <(echo "$before") <(echo "$after") && echo same
      """, launching: ["bash", file])
    #expect(outcome.output == "same\n")
  }

  @Test func `The command receives its arguments byte for byte, its own name first`() async throws {
    let fixture = try LaunchFixture()
    let bytes: [UInt8] = [0x2d, 0xff, 0x20, 0x0a, 0x27, 0xc3]
    let outcome = try await fixture.run(["cat", "/proc/self/cmdline"]) {
      $0.plan.executable = "/usr/bin/python3"
      $0.plan.arguments = ["-own name-", "-Ic", "import sys; print(open('/proc/self/cmdline', 'rb').read())"]
      $0.plan.arguments += ["", RawString(bytes)]
    }
    #expect(
      outcome.output
        == #"b"-own name-\x00-Ic\x00import sys; print(open('/proc/self/cmdline', 'rb').read())\x00\x00-\xff \n'\xc3\x00""#
        + "\n")
  }

  @Test func `devrun holds no end of the command's pipes open`() async throws {
    let fixture = try LaunchFixture()
    let process = try fixture.launch(["sh", "-c", "echo last; exec sleep 1000 >&-"])
    // Ends although devrun and the child go on.
    #expect(try await process.output.whole() == "last\n")
    process.signal(SIGTERM)
    #expect(try await process.status() == .killed(SIGTERM, coreDumped: false))
    let first = try await shell("yes | $launch; echo ${PIPESTATUS[*]}", launching: ["head", "-n", "1"])
    #expect(first.output == "y\n141 0\n")
  }

  @Test func `The command keeps its working directory if a mount covers it`() async throws {
    let fixture = try LaunchFixture()
    for folder in ["volume", "parent", "parent/here"] { mkdir(fixture.path(folder), 0o755) }
    try fixture.write("volume/token", "secret\n")
    var script = LaunchScript(plan: try LaunchFixture.plan(["sh", "-c", "pwd -P; cat ../new/token"]))
    script.plan.mounts = [
      .init(source: RawString(fixture.path("volume")), target: RawString(fixture.path("parent/new")))
    ]
    let line = try fixture.commandLine(script).joined(separator: " ")
    let process = try TestProcess(
      ["sh", "-c", "cd \(fixture.path("parent/here")) && exec \(line)"], keeping: fixture)
    #expect(try await process.output.whole() == "\(fixture.path("parent/here"))\nsecret\n")
  }
}
