import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Unusual connections", .sharingTheMachine)
struct ConnectEdgeTests {
  private static let lessNamespaces: [KernelFeatures] = [.all, KernelFeatures.all.subtracting(.namespaceCookies)]

  @Test(arguments: lessNamespaces, TestUser.available)
  func `Connections are redirected in a program's own user namespace, but not in its network namespace`(
    features: KernelFeatures, user: TestUser
  ) async throws {
    try await TestProcess.run(user.command(["unshare", "--user", "--map-root-user", "true"]))
    let services = try ServiceFixture()
    let program = """
      import errno, socket
      s = socket.socket()
      code = s.connect_ex(('127.201.0.1', 80))
      print(errno.errorcode[code] if code else s.recv(100))
      """
    let command = ["--user", "--map-root-user", "python3", "-c", program]
    let within = try await services.run(["unshare"] + command, as: user) { $0.features = features }
    #expect(within.output == "b'hello\\n'\n")
    // There not even the loopback interface is up.
    let beyond = try await services.run(["unshare", "--net"] + command, as: user) { $0.features = features }
    #expect(beyond.output == "ENETUNREACH\n")
    #expect(services.server.accepted == 1)
  }

  @Test(arguments: TestUser.available)
  func `A program's own seccomp filter can allow or deny its connections`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import ctypes, errno, os, platform, socket, struct
      libc = ctypes.CDLL(None, use_errno=True)
      seccomp, connect = (317, 42) if platform.machine() == 'x86_64' else (277, 203)
      # load the number; if it is connect's: errno EACCES; else allow
      def install(verdict, flags):
        code = struct.pack('HBBI' * 4, 0x20, 0, 0, 0, 0x15, 0, 1, connect, 6, 0, 0, verdict, 6, 0, 0, 0x7fff0000)
        buffer = ctypes.create_string_buffer(code)
        program = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 4, ctypes.addressof(buffer)))
        result = libc.syscall(seccomp, 1, flags, program)
        return 'installed' if result >= 0 else errno.errorcode[ctypes.get_errno()]
      libc.prctl(38, 1, 0, 0, 0)
      print(install(0x7fff0000, 0), socket.create_connection(('myapp1', 80)).recv(100))
      # The kernel takes one filter with a listener.
      print(install(0x7fc00000, 8))
      print(install(0x00050000 | errno.EACCES, 0), errno.errorcode[socket.socket().connect_ex(('127.201.0.1', 80))])
      """, as: user)
    #expect(outcome.output == "installed b'hello\\n'\nEBUSY\ninstalled EACCES\n")
    #expect(outcome.errors == "")
  }

  @Test(.enabled(if: hasMultipath, "this kernel has no multipath TCP"))
  func `A multipath TCP connection is redirected`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import errno, socket
      s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
      print(errno.errorcode[s.connect_ex(('127.201.0.2', 80))])
      s.connect(('myapp1', 80))
      print(s.recv(100))
      """)
    #expect(outcome.output == "ECONNREFUSED\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  @Test(.enabled(if: is64BitX86, "an x86-64 machine is needed, for i386 code"))
  func `A 32-bit program's connections are redirected through either of its system calls`() async throws {
    let services = try ServiceFixture()
    // Without any library: those of i386 are seldom installed.
    let program = try await services.launches.compile(
      "i386",
      """
      static int call(int number, int a, const void *b, int c) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
        return result;
      }
      static unsigned char address[16] = {2, 0, 0, 80, 127, 201, 0, 1};
      static char text[100];
      static const int stream[3] = {2, 1, 0};
      void _start(void) {
        int s = call(102, 1, stream, 0);
        int words[3] = {s, (int)address, 16};
        if (call(102, 3, words, 0) == 0) call(4, 1, text, call(3, s, text, sizeof text));
        call(6, s, 0, 0);
        s = call(102, 1, stream, 0);
        if (call(362, s, address, 16) == 0) call(4, 1, text, call(3, s, text, sizeof text));
        call(6, s, 0, 0);
        address[7] = 2;
        s = call(102, 1, stream, 0);
        call(1, -call(362, s, address, 16), 0, 0);
      }
      """, ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-O1"])
    let bare = try await TestProcess.run([program], expecting: nil)
    guard bare.status == .exited(ECONNREFUSED) else { try Test.cancel("this kernel runs no 32-bit programs") }
    let outcome = try await services.run([program])
    #expect(outcome.output == "hello\nhello\n")
    #expect(outcome.status == .exited(ECONNREFUSED))
  }

  @Test(arguments: [.all, []] as [KernelFeatures])
  func `A program can execute another one while its threads wait for connections`(
    features: KernelFeatures
  ) async throws {
    let services = try ServiceFixture()
    // Executing ends the threads that wait in a call.
    let outcome = try await services.python(
      """
      import os, socket, threading
      def run():
        s = socket.socket()
        os.write(ready, b'x')
        s.connect(('127.201.0.4', 80))
      read, ready = os.pipe()
      for _ in range(10): threading.Thread(target=run).start()
      for _ in range(10): os.read(read, 1)
      os.execvp('python3', ['python3', '-c',
        "import socket; print(socket.create_connection(('myapp1', 80)).recv(100))"])
      """
    ) { $0.features = features }
    #expect(outcome.output == "b'hello\\n'\n")
    #expect(outcome.status == .exited(0))
  }

  @Test func `A connection to one of this machine's own addresses is not redirected`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import socket
      for family, address in ((socket.AF_INET, '127.0.0.1'), (socket.AF_INET6, '::1')):
        with socket.create_server((address, 0), family=family) as server:
          names = ('localhost', '127.0.0.1', '::ffff:127.0.0.1') if family == socket.AF_INET else ('::1',)
          for name in names:
            client = socket.create_connection((name, server.getsockname()[1]))
            print(server.accept()[1][:2] == client.getsockname()[:2] or name)
      # Another port of an address of the session is the session's, too; its neighbour is not.
      with socket.create_server(('127.201.0.9', 0)) as server:
        client = socket.create_connection(server.getsockname())
        print(server.accept()[1] == client.getsockname())
      """)
    // A mapped address is told in its mapped form.
    #expect(outcome.output == "True\nTrue\n::ffff:127.0.0.1\nTrue\nTrue\n")
    #expect(outcome.errors == "")
    #expect(services.server.accepted == 0)
  }

  @Test func `Connections of several threads succeed while timers of all kinds interrupt them`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import signal, socket, threading
      for number, timer in ((signal.SIGALRM, 0), (signal.SIGVTALRM, 1), (signal.SIGPROF, 2)):
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, False)
        signal.setitimer(timer, 0.002, 0.002)
      results = []
      def run():
        for _ in range(50):
          with socket.create_connection(('10.96.0.9', 80)) as s: results.append(s.recv(100))
      threads = [threading.Thread(target=run) for _ in range(8)]
      for t in threads: t.start()
      for t in threads: t.join()
      print(len(results), set(results))
      """)
    #expect(outcome.output == "400 {b'hello\\n'}\n")
    #expect(outcome.errors == "")
  }

  @Test func `A program that may not be traced is not redirected, and devrun reports this once`() async throws {
    let user = try #require(TestUser.available.last)
    let services = try ServiceFixture()
    let program = """
      import ctypes, errno, socket
      ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)
      for _ in range(3): print(errno.errorcode[socket.socket().connect_ex(('127.201.0.1', 80))])
      """
    // A user namespace would let its maker trace everything inside.
    let outcome = try await services.python(program, as: user) { $0.isolation = .trap }
    #expect(outcome.output == String(repeating: "ECONNREFUSED\n", count: 3))
    #expect(outcome.errors.contains("(python3) are not redirected: it may not be traced"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }
}

/// Whether the kernel has multipath TCP and lets it be used.
var hasMultipath: Bool {
  FileManager.default.contents(atPath: "/proc/sys/net/mptcp/enabled")?.first == UInt8(ascii: "1")
}
