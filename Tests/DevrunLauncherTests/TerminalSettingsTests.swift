import DevrunCore
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Terminal settings", .sharingTheMachine)
struct TerminalSettingsTests {
  /// Runs the command under a shell that itself puts nothing back, and tells the settings before and after.
  private func settings(
    around command: [String], status: Int
  ) async throws -> (before: String, after: String) {
    let fixture = try LaunchFixture()
    let (before, after) = (fixture.path("before"), fixture.path("after"))
    try await fixture.withShell(command) { (session) async throws in
      let script = "stty -g > \(before); $LAUNCH; echo status $?; stty -g > \(after); echo finished $?"
      try await session.type(line: "sh -c '\(script)'", until: "finished 0")
      #expect(session.screen.contains("status \(status)"))
    }
    return (try String(contentsOfFile: before, encoding: .utf8), try String(contentsOfFile: after, encoding: .utf8))
  }

  /// Makes the terminal raw and then does something.
  private static func raw(_ end: String) -> [String] {
    ["python3", "-c", "import os, resource, signal, tty; resource.setrlimit(4, (0, 0)); tty.setraw(0); \(end)"]
  }

  @Test(arguments: [SIGSEGV, SIGKILL, SIGTERM])
  func `Terminal settings are restored when the command dies of a signal`(signal: Int32) async throws {
    let (before, after) = try await settings(
      around: Self.raw("os.kill(os.getpid(), \(signal))"), status: 128 + Int(signal))
    #expect(before == after && !before.isEmpty)
  }

  @Test func `Terminal settings stay as the command left them when it exits`() async throws {
    let (before, after) = try await settings(around: ["stty", "-echo"], status: 0)
    #expect(before != after)
  }

  @Test func `A script can use the terminal again after a shell with jobs of its own is killed`() async throws {
    try await LaunchFixture().withShell(["bash", "--norc", "--noprofile", "-i", "-c", "kill -KILL $$"]) {
      (session) async throws in
      try await session.type(
        line: "sh -c '$LAUNCH; echo status $?; read line; echo \"got $line\"'", until: "status 137")
      try await session.type(line: "first", until: "got first")
    }
  }

  @Test func `The command receives exactly one SIGWINCH when the window's size changes`() async throws {
    let child =
      SignalWatch.python + """
        count = 0
        def heard(number):
          global count
          if number == signal.SIGUSR1: return print("asked")
          count += 1
          print("resized", count, os.get_terminal_size(0).lines)
        on_signals([signal.SIGWINCH, signal.SIGUSR1], heard)
        print("ready")
        for line in sys.stdin:
          print("got", line.strip(), count)
          # Comes back by the way that a signal forwarded by mistake would take.
          if line == "ask\\n": os.kill(os.getpgrp(), signal.SIGUSR1)
          if line == "end\\n": os._exit(5)
        """
    try await LaunchFixture().withShell(["python3", "-uc", child]) { (session) async throws in
      try await session.type(line: "launch", until: "ready")
      for (number, rows) in [(1, 33), (2, 44)] as [(Int, UInt16)] {
        try session.process.resizeTerminal(rows: rows, columns: 100)
        try await session.wait(for: "resized \(number) \(rows)")
        try await session.type(line: "ask", until: "asked")
        try await session.type(line: "more", until: "got more \(number)\r\n")
      }
      try await session.type(line: "end", until: "got end 2")
    }
  }
}
