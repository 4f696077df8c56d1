import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import Testing
import devrun_launch

@testable import DevrunLauncher

private let interrupt = "\u{3}"
private let suspend = "\u{1a}"
private let quit = "\u{1c}"

@Suite("Terminal", .timeLimit(.minutes(15)), .sharingTheMachine)
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
    try await withShell(Self.talker) { (session) async throws in
      #expect(try await session.type(line: "launch", until: "foreground True"))
      #expect(try await session.type(line: "first", until: "got first 0"))
      try session.type(interrupt)
      #expect(await session.screen.contains("interrupted 1"))
      #expect(try await session.type(line: "end", until: "got end 1"))
      #expect(try await session.type(line: "echo status $?", until: "status 5"))
    }
  }

  @Test(arguments: [(interrupt, 130), (quit, 131)])
  func `Ctrl-C and Ctrl-Backslash end the command, and devrun by the same signal`(
    key: String, status: Int
  ) async throws {
    try await withShell(["sh", "-c", "ulimit -c 0; echo running; exec sleep 1000"]) { (session) async throws in
      #expect(try await session.type(line: "launch", until: "running"))
      try session.type(key)
      #expect(await session.screen.contains("prompt$ "))
      #expect(try await session.type(line: "echo status $?", until: "status \(status)"))
    }
  }

  @Test func `Ctrl-Z stops the job, and fg and bg continue it`() async throws {
    try await withShell(Self.talker) { (session) async throws in
      #expect(try await session.type(line: "launch", until: "foreground True"))
      #expect(try await session.suspend())
      #expect(try await session.type(command: "jobs", until: "Stopped"))
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "again", until: "got again 0"))
      #expect(try await session.suspend())
      // In the background it is stopped again when it reads.
      #expect(try await session.type(command: "bg", until: "devrun-launch"))
      #expect(try await session.type(command: "wait; jobs", until: "Stopped"))
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "end", until: "got end 0"))
      #expect(try await session.type(line: "echo status $?", until: "status 5"))
    }
  }

  @Test func `Ctrl-Z stops a script together with the devrun that it runs`() async throws {
    try await withShell(Self.talker) { (session) async throws in
      #expect(try await session.type(line: "(launch; echo inner status $?)", until: "foreground True"))
      #expect(try await session.suspend())
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "again", until: "got again 0"))
      #expect(try await session.type(line: "end", until: "inner status 5"))
    }
  }

  @Test func `An interactive shell as the command has jobs of its own and can suspend itself`() async throws {
    try await withShell(["bash", "--norc", "--noprofile", "-i"]) { (session) async throws in
      #expect(try await session.type(line: "launch", until: "bash"))
      #expect(try await session.type(line: "PS1='inner> '", until: "inner> "))
      #expect(try await session.type(line: "sleep 1000 & sed -u s/^/got-/", until: "[1]"))
      #expect(try await session.type(line: "first", until: "got-first"))
      #expect(try await session.suspend(prompt: "inner> "))
      #expect(try await session.typeForeground(until: "sed -u"))
      #expect(try await session.type(line: "second", until: "got-second"))
      try session.type(interrupt)
      #expect(await session.screen.contains("inner> "))
      #expect(try await session.type(line: "kill %1; suspend", until: "prompt$ "))
      #expect(try await session.type(command: "jobs", until: "Stopped"))
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "echo inner''most", until: "innermost"))
      #expect(try await session.type(line: "exit 6", until: "prompt$ "))
      #expect(try await session.type(line: "echo status $?", until: "status 6"))
    }
  }

  @Test func `Ctrl-Z stops nothing if no shell could continue the job`() async throws {
    let fixture = try LaunchFixture()
    // devrun leads the terminal's session, as with `ssh -t`.
    let line = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(Self.talker))).joined(separator: " ")
    let session = try TerminalSession(keeping: fixture)
    defer { session.end() }
    #expect(try await session.type(line: "exec \(line)", until: "foreground True"))
    try session.type(suspend)
    #expect(try await session.type(line: "more", until: "got more 0"))
    #expect(try await session.type(line: "end", until: "got end 0"))
    #expect(await session.shell.status() == .exited(5))
  }

  @Test func `A command that stops itself stops the job, and a SIGCONT to devrun continues both`() async throws {
    let child = ["sh", "-c", "echo ready; kill -STOP $$; echo goes on; read line; echo got $line; exit 5"]
    try await withShell(child) { (session) async throws in
      #expect(try await session.type(command: "launch", until: "Stopped"))
      #expect(try await session.type(line: "kill -CONT $(jobs -p)", until: "goes on"))
      // In the background it is stopped when it reads.
      #expect(try await session.type(command: "wait; jobs", until: "Stopped"))
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "first", until: "got first"))
      #expect(try await session.type(line: "echo status $?", until: "status 5"))
    }
  }

  @Test func `A background job prints without being stopped, unless stty tostop is set`() async throws {
    let printer = ["sh", "-c", "echo this is printed; read line; echo got $line"]
    try await withShell(printer) { (session) async throws in
      #expect(try await session.type(line: "launch &", until: "this is printed"))
      // It is stopped for reading, not for printing.
      #expect(try await session.type(command: "wait; jobs", until: "Stopped"))
      #expect(try await session.typeForeground(until: "devrun-launch"))
      #expect(try await session.type(line: "first", until: "got first"))
      session.screen.clear()
      #expect(try await session.type(command: "stty tostop; launch & wait; jobs", until: "Stopped"))
      #expect(!session.screen.text.contains("printed"))
      #expect(try await session.typeForeground(until: "this is printed"))
      #expect(try await session.type(line: "second", until: "got second"))
    }
  }

  @Test func `The command receives SIGHUP and the session ends when the terminal hangs up`() async throws {
    let fixture = try LaunchFixture()
    let log = try CollectedText(fifo: fixture.path("log"))
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
    let session = try TerminalSession(keeping: fixture)
    #expect(try await session.type(line: line, until: "ready"))
    session.end()
    _ = await session.shell.status()
    #expect(await log.contains("ended\n"))
    #expect(log.text.contains("hung up\n"))
  }
}
