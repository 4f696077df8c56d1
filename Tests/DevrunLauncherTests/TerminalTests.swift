import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Terminal", .sharingTheMachine)
struct TerminalTests {
  private static let talker = [
    "python3", "-uc",
    SignalWatch.python + """
      def count(number):
        count.times += 1
        print("interrupted", count.times)
      count.times = 0
      on_signals([signal.SIGINT], count)
      print("foreground", os.tcgetpgrp(0) == os.getpgrp())
      for line in sys.stdin:
        print("got", line.strip(), count.times)
        if line == "end\\n": os._exit(5)
      """,
  ]

  @Test func `A command in the foreground reads and writes the terminal and receives Ctrl-C once`() async throws {
    try await LaunchFixture().withShell(Self.talker) { (session) async throws in
      try await session.type(line: "launch", until: "foreground True")
      try await session.type(line: "first", until: "got first 0")
      try session.press(control: "C")
      try await session.wait(for: "interrupted 1")
      try await session.type(line: "end", until: "got end 1")
      try await session.type(line: "echo status $?", until: "status 5")
    }
  }

  @Test(arguments: [("C", 130), ("\\", 131)] as [(Character, Int)])
  func `Ctrl-C and Ctrl-Backslash end the command, and devrun by the same signal`(
    key: Character, status: Int
  ) async throws {
    try await LaunchFixture().withShell(["sh", "-c", "ulimit -c 0; echo running; exec sleep 1000"]) {
      (session) async throws in
      try await session.type(line: "launch", until: "running")
      try session.press(control: key)
      try await session.waitForPrompt()
      try await session.type(line: "echo status $?", until: "status \(status)")
    }
  }

  @Test func `Ctrl-Z stops the job, and fg and bg continue it`() async throws {
    try await LaunchFixture().withShell(Self.talker) { (session) async throws in
      try await session.type(line: "launch", until: "foreground True")
      try await session.suspend()
      try await session.type(command: "jobs", until: "Stopped")
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "again", until: "got again 0")
      try await session.suspend()
      // In the background it is stopped again when it reads.
      try await session.type(command: "bg", until: "devrun-launch")
      try await session.type(command: "wait; jobs", until: "Stopped")
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "end", until: "got end 0")
      try await session.type(line: "echo status $?", until: "status 5")
    }
  }

  @Test func `Ctrl-Z stops a script together with the devrun that it runs`() async throws {
    try await LaunchFixture().withShell(Self.talker) { (session) async throws in
      try await session.type(line: "(launch; echo inner status $?)", until: "foreground True")
      try await session.suspend()
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "again", until: "got again 0")
      try await session.type(line: "end", until: "inner status 5")
    }
  }

  @Test func `An interactive shell as the command has jobs of its own and can suspend itself`() async throws {
    try await LaunchFixture().withShell(["bash", "--norc", "--noprofile", "-i"]) { (session) async throws in
      try await session.type(line: "launch", until: "bash")
      try await session.type(line: "PS1='inner'; PS1+='> '", until: "inner> ")
      try await session.type(line: "sleep 1000 & sed -u s/^/got-/", until: "[1]")
      try await session.type(line: "first", until: "got-first")
      try await session.suspend(prompt: "inner> ")
      try await session.type(line: "fg", until: "sed -u", again: true)
      try await session.type(line: "second", until: "got-second")
      try session.press(control: "C")
      try await session.wait(for: "inner> ")
      try await session.type(line: "kill %1; suspend", until: "prompt$ ")
      try await session.type(command: "jobs", until: "Stopped")
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "echo inner''most", until: "innermost")
      try await session.type(line: "exit 6", until: "prompt$ ")
      try await session.type(line: "echo status $?", until: "status 6")
    }
  }

  @Test func `Ctrl-Z stops nothing if no shell could continue the job`() async throws {
    let fixture = try LaunchFixture()
    // devrun leads the terminal's session, as with `ssh -t`.
    let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(Self.talker))).joined(separator: " ")
    let session = try Typist(inShellKeeping: fixture)
    defer { session.end() }
    try await session.type(line: "exec \(line)", until: "foreground True")
    try session.press(control: "Z")
    try await session.type(line: "more", until: "got more 0")
    try await session.type(line: "end", until: "got end 0")
    #expect(try await session.process.status() == .exited(5))
  }

  @Test func `A command that stops itself stops the job, and a SIGCONT to devrun continues both`() async throws {
    let child = ["sh", "-c", "echo ready; kill -STOP $$; echo goes on; read line; echo got $line; exit 5"]
    try await LaunchFixture().withShell(child) { (session) async throws in
      try await session.type(command: "launch", until: "Stopped")
      try await session.type(line: "kill -CONT $(jobs -p)", until: "goes on")
      // In the background it is stopped when it reads.
      try await session.type(command: "wait; jobs", until: "Stopped")
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "first", until: "got first")
      try await session.type(line: "echo status $?", until: "status 5")
    }
  }

  @Test func `A background job prints without being stopped, unless stty tostop is set`() async throws {
    let printer = ["sh", "-c", "echo this is printed; read line; echo got $line"]
    try await LaunchFixture().withShell(printer) { (session) async throws in
      try await session.type(line: "launch &", until: "this is printed")
      // It is stopped for reading, not for printing.
      try await session.type(command: "wait; jobs", until: "Stopped")
      try await session.type(line: "fg", until: "devrun-launch", again: true)
      try await session.type(line: "first", until: "got first")
      try await session.type(command: "stty tostop; launch & wait; jobs", until: "Stopped")
      #expect(!session.screen.contains("printed"))
      try await session.type(line: "fg", until: "this is printed", again: true)
      try await session.type(line: "second", until: "got second")
    }
  }

  @Test func `The command receives SIGHUP and the session ends when the terminal hangs up`() async throws {
    let fixture = try LaunchFixture()
    let log = try Transcript(of: Fifo(fixture.path("log")))
    let script =
      SignalWatch.python + """
        def hang_up(number):
          with open('\(fixture.path("log"))', 'w') as log: log.write('hung up\\n')
          os._exit(0)
        on_signals([signal.SIGHUP], hang_up)
        print('ready', flush=True)
        threading.Event().wait()
        """
    var launch = LaunchScript(plan: try LaunchFixture.plan(["python3", "-c", script]))
    launch.log = fixture.path("log")
    let line = try fixture.commandLine(launch).joined(separator: " ")
    let session = try Typist(inShellKeeping: fixture)
    try await session.type(line: line, until: "ready")
    session.end()
    try await session.process.status()
    try await log.wait(for: "ended\n")
    #expect(log.text.contains("hung up\n"))
  }
}
