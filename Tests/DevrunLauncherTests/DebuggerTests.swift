import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Debuggers", .sharingTheMachine)
struct DebuggerTests {
  /// A program to debug: it connects, tells what it read, and then counts until it is stopped.
  private static let target = """
    #include <arpa/inet.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/socket.h>
    #include <unistd.h>
    volatile unsigned long turns;
    void greet(void) {
      struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
      inet_pton(AF_INET, "127.201.0.1", &address.sin_addr);
      int s = socket(AF_INET, SOCK_STREAM, 0);
      if (connect(s, (struct sockaddr *)&address, sizeof address)) perror("connect");
      char text[7] = {0};
      if (recv(s, text, 6, MSG_WAITALL) == 6) printf("it read %s", text);
      close(s);
    }
    void turn(void) {
      turns++;
      usleep(1000);
    }
    int main(int count, char **arguments) {
      setvbuf(stdout, NULL, _IOLBF, 0);
      if (count > 1) greet();
      printf("counting\\n");
      for (;;) turn();
    }
    """

  /// Types into a program that was launched on a terminal.
  ///
  /// - Parameters:
  ///   - command: the program; `TARGET` stands for the program to debug.
  ///   - body: what is typed and expected.
  private func inTerminal(
    _ command: [String], as user: TestUser, _ body: (Typist) async throws -> Void
  ) async throws {
    let services = try ServiceFixture()
    let target = try await services.launches.compile("target", Self.target, ["-g", "-O0"])
    var script = LaunchScript(
      plan: try LaunchFixture.plan(command.map { $0.replacingOccurrences(of: "TARGET", with: target) }))
    script.routes = services.routes
    script.plan.hostsFile = RawString(services.launches.path("hosts"))
    let line = try services.launches.commandLine(script, as: user).joined(separator: " ")
    let session = try Typist(inShellKeeping: services.launches)
    defer { session.end() }
    try await session.waitForPrompt()
    try session.type(line + "\n")
    try await body(session)
    try await session.type(line: "echo status $?", until: "status 0")
  }

  @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"), arguments: TestUser.available)
  func `gdb runs a program that connects, stops at a breakpoint, interrupts it and quits`(user: TestUser) async throws {
    let command = ["gdb", "-q", "-nx", "-iex", "set pagination off", "TARGET"]
    try await inTerminal(command, as: user) { (session) async throws in
      try await session.wait(for: "(gdb) ")
      try await session.type(line: "break greet", until: "Breakpoint 1 at")
      try await session.type(line: "run x", until: "Breakpoint 1, greet")
      try await session.type(line: "continue", until: "it read hello")
      try await session.wait(for: "counting")
      try session.press(control: "C")
      try await session.wait(for: "SIGINT")
      try await session.wait(for: "(gdb) ")
      try await session.type(line: "print turns * 0 + 77", until: "$1 = 77")
      try await session.type(line: "kill", until: "(y or n)")
      try await session.type(line: "y", until: "killed]")
      try await session.type(line: "quit", until: "prompt$ ")
    }
  }

  @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"), arguments: TestUser.available)
  func `gdb attaches to a process of the command and leaves it running`(user: TestUser) async throws {
    let script = "TARGET x & gdb -q -nx -iex 'set pagination off' -p $!; kill -0 $! && echo it runs; kill $!"
    try await inTerminal(["bash", "-c", script], as: user) { (session) async throws in
      try await session.wait(for: "(gdb) ")
      try await session.type(line: "break turn", until: "Breakpoint 1 at")
      try await session.type(line: "continue", until: "Breakpoint 1, turn")
      try await session.type(line: "print turns * 0 + 77", until: "$1 = 77")
      try await session.type(line: "detach", until: "detached]")
      try await session.type(line: "quit", until: "it runs")
      try await session.waitForPrompt()
    }
  }

  @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"), arguments: TestUser.available)
  func `lldb runs a program that connects, stops at a breakpoint, interrupts it and quits`(
    user: TestUser
  ) async throws {
    try await inTerminal(["lldb", "--no-lldbinit", "--no-use-colors", "TARGET"], as: user) { (session) async throws in
      try await session.wait(for: "(lldb) ")
      try await session.type(line: "breakpoint set --name greet", until: "Breakpoint 1:", again: true)
      try await session.type(line: "run x", until: "stop reason = breakpoint 1.1")
      try await session.type(line: "continue", until: "it read hello", again: true)
      try await session.wait(for: "counting")
      try session.press(control: "C")
      try await session.wait(for: "stop reason = signal SIGSTOP")
      try await session.type(line: "expression turns * 0 + 77", until: "$0 = 77", again: true)
      try await session.type(line: "process kill", until: "exited with status = 9", again: true)
      try await session.type(line: "quit", until: "prompt$ ", again: true)
    }
  }

  @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"), arguments: TestUser.available)
  func `lldb attaches to a process of the command and leaves it running`(user: TestUser) async throws {
    let script = "TARGET x & lldb --no-lldbinit --no-use-colors -p $!; kill -0 $! && echo it runs; kill $!"
    try await inTerminal(["bash", "-c", script], as: user) { (session) async throws in
      try await session.wait(for: "stop reason = signal SIGSTOP")
      try await session.type(line: "breakpoint set --name turn", until: "Breakpoint 1:", again: true)
      try await session.type(line: "continue", until: "stop reason = breakpoint 1.1", again: true)
      try await session.type(line: "expression turns * 0 + 77", until: "$0 = 77", again: true)
      try await session.type(line: "detach", until: "detached", again: true)
      try await session.type(line: "quit", until: "it runs", again: true)
      try await session.waitForPrompt()
    }
  }

  @Test(.enabled(if: isInstalled("strace"), "strace is not installed"), arguments: TestUser.available)
  func `strace shows a program's connect calls, and they are redirected`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let program = """
      import errno, os, socket
      if os.fork() == 0:
        print(socket.create_connection(('myapp1', 80)).recv(100), flush=True)
        os._exit(0)
      os.wait()
      print(errno.errorcode[socket.socket().connect_ex(('127.201.0.2', 80))])
      """
    let trace = services.launches.path("trace")
    let outcome = try await services.run(
      ["strace", "-f", "-o", trace, "-e", "trace=connect", "python3", "-c", program], as: user)
    #expect(outcome.output == "b'hello\\n'\nECONNREFUSED\n")
    #expect(outcome.status == .exited(0))
    let lines = try String(contentsOfFile: trace, encoding: .utf8).split(separator: "\n")
    #expect(lines.contains { $0.contains("127.201.0.1") && $0.hasSuffix(" = 0") })
    #expect(lines.contains { $0.contains("127.201.0.2") && $0.contains("ECONNREFUSED") })
  }
}
