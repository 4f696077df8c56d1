import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import Testing
import devrun_launch

@testable import DevrunLauncher

private let interrupt = "\u{3}"
extension TerminalSession {
  /// Types a line into lldb and waits for what the terminal then shows. What is typed while lldb hands the terminal from the
  /// program that it runs to itself goes to that program; so it is typed again as long as nothing comes of it.
  fileprivate func tell(lldb line: String, until text: String) async throws -> Bool {
    screen.clear()
    for _ in 0..<6 {
      try type(line + "\n")
      if let found = await screen.found([text], within: .seconds(15)) { return found }
    }
    return await screen.contains(text)
  }
}

@Suite("Debuggers", .timeLimit(.minutes(15)), .sharingTheMachine)
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
    _ command: [String], as user: TestUser, _ body: (TerminalSession) async throws -> Void
  ) async throws {
    let services = try ServiceFixture()
    let target = try await services.launches.compile("target", Self.target, ["-g", "-O0"])
    var script = LaunchScript(
      plan: try LaunchFixture.plan(command.map { $0.replacingOccurrences(of: "TARGET", with: target) }))
    script.routes = services.routes
    script.plan.hostsFile = RawString(services.launches.path("hosts"))
    let line = try services.launches.commandLine(script, as: user).joined(separator: " ")
    let session = try TerminalSession(keeping: services.launches)
    defer { session.end() }
    #expect(await session.screen.contains("prompt$ "))
    session.screen.clear()
    try session.type(line + "\n")
    try await body(session)
    #expect(try await session.type(line: "echo status $?", until: "status 0"))
  }

  @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"), arguments: TestUser.available)
  func `gdb runs a program that connects, stops at a breakpoint, interrupts it and quits`(user: TestUser) async throws {
    let command = ["gdb", "-q", "-nx", "-iex", "set pagination off", "TARGET"]
    try await inTerminal(command, as: user) { (session) async throws in
      #expect(await session.screen.contains("(gdb) "))
      #expect(try await session.type(line: "break greet", until: "Breakpoint 1 at"))
      #expect(try await session.type(line: "run x", until: "Breakpoint 1, greet"))
      #expect(try await session.type(line: "continue", until: "it read hello"))
      #expect(await session.screen.contains("counting"))
      try session.type(interrupt)
      #expect(await session.screen.contains("SIGINT"))
      #expect(await session.screen.contains("(gdb) "))
      #expect(try await session.type(line: "print turns * 0 + 77", until: "$1 = 77"))
      #expect(try await session.type(line: "kill", until: "(y or n)"))
      #expect(try await session.type(line: "y", until: "killed]"))
      #expect(try await session.type(line: "quit", until: "prompt$ "))
    }
  }

  @Test(.enabled(if: isInstalled("gdb"), "gdb is not installed"), arguments: TestUser.available)
  func `gdb attaches to a process of the command and leaves it running`(user: TestUser) async throws {
    let script = "TARGET x & gdb -q -nx -iex 'set pagination off' -p $!; kill -0 $! && echo it runs; kill $!"
    try await inTerminal(["bash", "-c", script], as: user) { (session) async throws in
      #expect(await session.screen.contains("(gdb) "))
      #expect(try await session.type(line: "break turn", until: "Breakpoint 1 at"))
      #expect(try await session.type(line: "continue", until: "Breakpoint 1, turn"))
      #expect(try await session.type(line: "print turns * 0 + 77", until: "$1 = 77"))
      #expect(try await session.type(line: "detach", until: "detached]"))
      #expect(try await session.type(line: "quit", until: "it runs"))
      #expect(await session.screen.contains("prompt$ "))
    }
  }

  @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"), arguments: TestUser.available)
  func `lldb runs a program that connects, stops at a breakpoint, interrupts it and quits`(
    user: TestUser
  ) async throws {
    try await inTerminal(["lldb", "--no-lldbinit", "--no-use-colors", "TARGET"], as: user) { (session) async throws in
      #expect(await session.screen.contains("(lldb) "))
      #expect(try await session.tell(lldb: "breakpoint set --name greet", until: "Breakpoint 1:"))
      #expect(try await session.type(line: "run x", until: "stop reason = breakpoint 1.1"))
      #expect(try await session.tell(lldb: "continue", until: "it read hello"))
      #expect(await session.screen.contains("counting"))
      try session.type(interrupt)
      #expect(await session.screen.contains("stop reason = signal SIGSTOP"))
      #expect(try await session.tell(lldb: "expression turns * 0 + 77", until: "$0 = 77"))
      #expect(try await session.tell(lldb: "process kill", until: "exited with status = 9"))
      #expect(try await session.tell(lldb: "quit", until: "prompt$ "))
    }
  }

  @Test(.enabled(if: isInstalled("lldb"), "lldb is not installed"), arguments: TestUser.available)
  func `lldb attaches to a process of the command and leaves it running`(user: TestUser) async throws {
    let script = "TARGET x & lldb --no-lldbinit --no-use-colors -p $!; kill -0 $! && echo it runs; kill $!"
    try await inTerminal(["bash", "-c", script], as: user) { (session) async throws in
      #expect(await session.screen.contains("stop reason = signal SIGSTOP"))
      #expect(try await session.tell(lldb: "breakpoint set --name turn", until: "Breakpoint 1:"))
      #expect(try await session.tell(lldb: "continue", until: "stop reason = breakpoint 1.1"))
      #expect(try await session.tell(lldb: "expression turns * 0 + 77", until: "$0 = 77"))
      #expect(try await session.tell(lldb: "detach", until: "detached"))
      #expect(try await session.tell(lldb: "quit", until: "it runs"))
      #expect(await session.screen.contains("prompt$ "))
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
