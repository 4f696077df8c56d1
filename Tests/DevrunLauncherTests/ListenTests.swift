import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Listeners", .sharingTheMachine)
struct ListenTests {
  /// A launch of a command, and what is reported of its listeners.
  private struct Launch {
    let process: TestProcess
    let log: Transcript

    /// Ends the command by the end of its input. All that was reported then.
    func events() async throws -> [String] {
      process.closeInput()
      #expect(try await process.status() == .exited(0))
      return try await log.whole().split(separator: "\n").map(String.init)
        .filter { ["began", "occupied", "elsewhere", "unreachable"].contains($0.prefix { $0 != " " }) }
    }
  }

  /// Launches a command whose listeners on the ports are expected.
  private func launch(
    _ command: [String], expecting ports: Set<UInt16>, as user: TestUser = .own,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) throws -> Launch {
    let fixture = try LaunchFixture()
    let fifo = try Fifo(fixture.path("log"))
    chmod(fifo.path, 0o666)
    let log = try Transcript(of: fifo)
    let process = try fixture.launch(command, as: user) {
      $0.plan.listenPorts = ports
      $0.log = fifo.path
      change(&$0)
    }
    return Launch(process: process, log: log)
  }

  /// A program of Python, which may use `server(address, port)` and `until_end()`.
  private func python(_ program: String) -> [String] {
    [
      "python3", "-uc",
      """
      import ctypes, os, socket, sys, threading
      def server(address, port):
        s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM)
        s.bind((address, port))
        s.listen()
        return s
      def until_end(): sys.stdin.read()

      """ + program,
    ]
  }

  @Test(arguments: ["127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"], TestUser.available)
  func `A listener on an expected port is reported on any address that loopback connections reach`(
    address: String, user: TestUser
  ) async throws {
    let port = try nextPort()
    let launch = try launch(python("s = server('\(address)', \(port)); until_end()"), expecting: [port, 1], as: user)
    try await launch.log.wait(for: "began \(port)\n")
    #expect(try await launch.events() == ["began \(port)"])
  }

  @Test(arguments: [false, true], IsolationChoice.allCases.filter { $0 != .mount })
  func `Listeners are reported under each isolation, with and without redirected connections`(
    redirects: Bool, isolation: IsolationChoice
  ) async throws {
    let (port, other) = (try nextPort(), try nextPort())
    let launch = try launch(
      python("s = server('', \(port)); t = server('', \(other)); until_end()"), expecting: [port], as: .nobodyOrOwn
    ) {
      $0.plan.redirectsConnections = redirects
      $0.plan.hiddenPaths = ["/run/nscd"]
      $0.isolation = isolation
    }
    for event in ["began \(port)", "elsewhere \(other)"] { try await launch.log.wait(for: "\(event)\n") }
    #expect(try await Set(launch.events()) == ["began \(port)", "elsewhere \(other)"])
  }

  @Test func `A server that stops and starts ten times is reported once, and its port is free each time`() async throws
  {
    let port = try nextPort()
    let program = """
      for _ in range(10): server('127.0.0.1', \(port)).close()
      s = server('127.0.0.1', \(port))
      print('served')
      until_end()
      """
    let launch = try launch(python(program), expecting: [port])
    try await launch.process.output.wait(for: "served\n")
    try await launch.log.wait(for: "began \(port)\n")
    #expect(try await launch.events() == ["began \(port)"])
  }

  @Test func `A static program's listener and that of a descendant in a session of its own are reported`() async throws
  {
    let fixture = try LaunchFixture()
    let (port, other) = (try nextPort(), try nextPort())
    let program = try await fixture.compile(
      "server",
      """
      #include <arpa/inet.h>
      #include <stdlib.h>
      #include <sys/socket.h>
      #include <unistd.h>
      static void serve(int port) {
        int s = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
        if (bind(s, (struct sockaddr *)&address, sizeof address) || listen(s, 5)) _exit(1);
      }
      int main(int count, char **arguments) {
        char byte;
        serve(atoi(arguments[1]));
        if (fork() == 0) {
          setsid();
          if (fork() == 0) serve(atoi(arguments[2]));
        }
        return (int)read(0, &byte, 1);
      }
      """, ["-static"])
    let launch = try launch([program, "\(port)", "\(other)"], expecting: [port, other])
    try await launch.log.wait(for: "began \(port)\n")
    try await launch.log.wait(for: "began \(other)\n")
    #expect(try await Set(launch.events()) == ["began \(port)", "began \(other)"])
  }

  @Test(.enabled(if: is64BitX86, "an x86-64 machine is needed, for i386 code"))
  func `A 32-bit program's listeners are reported through either of its system calls`() async throws {
    let fixture = try LaunchFixture()
    // Without any library: those of i386 are seldom installed. The kernel chooses the ports.
    let program = try await fixture.compile(
      "i386",
      """
      static int call(int number, int a, const void *b, int c) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
        return result;
      }
      static const int stream[3] = {2, 1, 0};
      void _start(void) {
        char byte;
        int words[2] = {call(102, 1, stream, 0), 5};
        int failed = call(102, 4, words, 0);
        failed |= call(363, call(102, 1, stream, 0), (void *)5, 0);
        call(3, 0, &byte, 1);
        call(1, failed ? 7 : 0, 0, 0);
      }
      """, ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-O1"])
    let bare = try await TestProcess.run([program], expecting: nil)
    guard bare.status == .exited(0) else { try Test.cancel("this kernel runs no 32-bit programs") }
    let launch = try launch([program], expecting: [1])
    try await launch.log.wait(for: "elsewhere ", "elsewhere ")
    #expect(try await launch.events().count == 2)
  }

  @Test func `A port that the kernel chooses is reported elsewhere`() async throws {
    let program = """
      s = socket.socket(); s.listen(); print(s.getsockname()[1])
      t = server('127.0.0.1', 0); print(t.getsockname()[1])
      until_end()
      """
    let launch = try launch(python(program), expecting: [1])
    try await launch.log.wait(for: "elsewhere ", "elsewhere ")
    let reported = try await launch.events()
    let ports = try await launch.process.output.whole().split(separator: "\n")
    #expect(Set(reported) == Set(ports.map { "elsewhere \($0)" }))
  }

  @Test(.enabled(if: hasMultipath, "this kernel has no multipath TCP"))
  func `Listeners of multipath TCP are reported`() async throws {
    let (port, other) = (try nextPort(), try nextPort())
    let program = """
      def multipath(port):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        s.bind(('127.0.0.1', port))
        s.listen()
        return s
      s, t = multipath(\(port)), multipath(\(other))
      until_end()
      """
    let launch = try launch(python(program), expecting: [port])
    for event in ["began \(port)", "elsewhere \(other)"] { try await launch.log.wait(for: "\(event)\n") }
    #expect(try await Set(launch.events()) == ["began \(port)", "elsewhere \(other)"])
  }

  @Test func `A listener on an expected port of another address is reported with that address`() async throws {
    let port = try nextPort()
    let program = """
      s = server('127.0.0.2', \(port)); t = server('127.0.0.3', \(port))
      sys.stdin.readline()
      u = server('127.0.0.1', \(port))
      until_end()
      """
    let launch = try launch(python(program), expecting: [port])
    try await launch.log.wait(for: "unreachable \(port) at 127.0.0.")
    try launch.process.write("\n")
    try await launch.log.wait(for: "began \(port)\n")
    let events = try await launch.events()
    #expect(events.count == 2 && events[0].hasPrefix("unreachable \(port) at 127.0.0."))
  }

  @Test func `UDP and Unix sockets, other ports of other addresses and other network namespaces are not reported`()
    async throws
  {
    let (port, other, last) = (try nextPort(), try nextPort(), try nextPort())
    let program = """
      u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(('127.0.0.1', \(port)))
      x = socket.socket(socket.AF_UNIX); x.bind('\\0devrun-test-%d' % os.getpid()); x.listen()
      for s in u, os.open('/dev/null', os.O_RDONLY), 999:
        print(ctypes.CDLL(None).listen(s if isinstance(s, int) else s.fileno(), 5))
      t = server('127.0.0.2', \(other))
      if os.fork() == 0:
        # A user namespace, in which there may be a network namespace.
        if ctypes.CDLL(None).unshare(0x50000000) == 0:
          n = server('0.0.0.0', \(port))
          print('apart')
          until_end()
        os._exit(1)
      until_end()
      s = server('127.0.0.1', \(last))
      os.wait()
      """
    let launch = try launch(python(program), expecting: [port, last])
    try await launch.process.output.wait(for: "-1\n-1\n-1\napart\n")
    // The table is read at least once more before what comes last.
    try launch.process.write("\n")
    #expect(try await launch.events().filter { $0 != "began \(last)" } == [])
  }

  @Test func `An older listener is reported with its process, and the command's when that one is gone`() async throws {
    let port = try nextPort()
    let older = try TestProcess(python("s = server('127.0.0.1', \(port)); print('ready'); until_end()"))
    try await older.output.wait(for: "ready\n")
    let launch = try launch(
      python("print('ready'); sys.stdin.readline(); s = server('127.0.0.1', \(port)); until_end()"), expecting: [port])
    try await launch.log.wait(for: "occupied \(port) by python3 (pid \(older.id))\n")
    older.closeInput()
    try await older.status()
    try launch.process.write("\n")
    try await launch.log.wait(for: "began \(port)\n")
    #expect(
      try await launch.events() == ["occupied \(port) by python3 (pid \(older.id))", "began \(port)"])
  }

  @Test func `A listener that the command inherits is its own from the start`() async throws {
    let fixture = try LaunchFixture()
    let port = try nextPort()
    let fifo = try Fifo(fixture.path("log"))
    let log = try Transcript(of: fifo)
    var script = LaunchScript(plan: try LaunchFixture.plan(["cat"]))
    script.plan.listenPorts = [port]
    script.log = fifo.path
    let process = try TestProcess(
      python("s = server('127.0.0.1', \(port)); s.set_inheritable(True); os.execv(sys.argv[1], sys.argv[1:])")
        + fixture.commandLine(script), keeping: fixture)
    try await log.wait(for: "began \(port)\n")
    #expect(try await Launch(process: process, log: log).events() == ["began \(port)"])
  }

  @Test func `A listener of a process that may not be looked into is found in the kernel's table`() async throws {
    let port = try nextPort()
    // PR_SET_DUMPABLE, as for a program that has gained privileges.
    let program = "ctypes.CDLL(None).prctl(4, 0, 0, 0, 0); s = server('127.0.0.1', \(port)); until_end()"
    let launch = try launch(python(program), expecting: [port], as: .nobodyOrOwn) {
      // A user namespace would let its maker look into everything inside.
      $0.isolation = .trap
      $0.plan.hiddenPaths = ["/run/nscd"]
    }
    try await launch.log.wait(for: "began \(port)\n")
    #expect(try await launch.events() == ["began \(port)"])
  }

  @Test func `A listener of a process that is no descendant of the command is found while its port is expected`()
    async throws
  {
    let port = try nextPort()
    let launch = try launch(["cat"], expecting: [port])
    try await launch.log.wait(for: "isolation")
    let daemon = try TestProcess(python("s = server('0.0.0.0', \(port)); until_end()"))
    try await launch.log.wait(for: "began \(port)\n")
    daemon.closeInput()
    #expect(try await launch.events() == ["began \(port)"])
  }

  @Test func `A daemon's listener is reported after the command's end if descendants are waited for`() async throws {
    let port = try nextPort()
    let program = """
      if os.fork(): os._exit(0)
      sys.stdin.readline()
      s = server('127.0.0.1', \(port))
      until_end()
      """
    let launch = try launch(python(program), expecting: [port]) { $0.waitsForDescendants = true }
    try await launch.log.wait(for: "child ended\n")
    try launch.process.write("\n")
    try await launch.log.wait(for: "began \(port)\n")
    #expect(try await launch.events() == ["began \(port)"])
  }

  @Test func `A descendant that outlives the command can listen, and is not reported`() async throws {
    let port = try nextPort()
    let program = """
      if os.fork(): os._exit(0)
      sys.stdin.readline()
      s = server('127.0.0.1', \(port))
      print('serves')
      until_end()
      """
    let launch = try launch(python(program), expecting: [port])
    try await launch.log.wait(for: "\nended\n")
    try launch.process.write("\n")
    try await launch.process.output.wait(for: "serves\n")
    #expect(try await launch.events() == [])
  }

  @Test func `Ten thousand calls of listen leave neither descriptors nor threads behind`() async throws {
    let port = try nextPort()
    let program = """
      def keeper():
        return len(os.listdir('/proc/%d/fd' % os.getppid())), len(os.listdir('/proc/%d/task' % os.getppid()))
      s = server('127.0.0.1', \(port))
      sys.stdin.readline()
      before = keeper()
      for _ in range(10000): s.listen()
      print('listened')
      sys.stdin.readline()
      print(before, keeper())
      until_end()
      """
    let launch = try launch(python(program), expecting: [port])
    try await launch.log.wait(for: "began \(port)\n")
    try launch.process.write("\n")
    try await launch.process.output.wait(for: "listened\n")
    try launch.process.write("\n")
    #expect(try await launch.events() == ["began \(port)"])
    let counts = try await launch.process.output.whole().split(separator: "\n")[1]
    let numbers = counts.split { !$0.isNumber }.compactMap { Int($0) }
    // The keeper's runtime may have made a thread or two meanwhile.
    #expect(numbers.count == 4 && numbers[2] <= numbers[0] + 2 && numbers[3] <= numbers[1] + 2, "\(counts)")
  }

  @Test func `The kernel's two lists of listeners agree`() throws {
    let server = try GreetingServer()
    defer { server.stop() }
    // Others come and go meanwhile.
    let own = { (all: [TCPListener]) in all.filter { $0.port == server.endpoint.port } }
    let found = own(try TCPListener.diagnosed())
    #expect(found.map(\.address) == [IPAddress(127, 0, 0, 1)])
    #expect(own(try TCPListener.listed(in: "/proc/net/tcp")) == found)
    #expect(try TCPListener.listed(in: "/proc/net/none") == [])
    let all = try Set(TCPListener.listed(in: "/proc/net/tcp6") + TCPListener.listed(in: "/proc/net/tcp"))
    let addresses = try Set(TCPListener.diagnosed().map(\.address))
    #expect(Set(all.map(\.address)).isSuperset(of: addresses.filter { $0.bytes.allSatisfy { $0 == 0 } }))
  }
}

extension TestUser {
  /// An ordinary user where root runs the tests.
  fileprivate static var nobodyOrOwn: TestUser { available.last ?? .own }
}

/// A TCP port on which nothing listens.
private func nextPort() throws -> UInt16 { UInt16(try freePort()) }
