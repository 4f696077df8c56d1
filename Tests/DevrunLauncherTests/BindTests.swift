import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Sockets bound to the pod's own address", .sharingTheMachine)
struct BindTests {
  /// The pod's addresses: none of them is this machine's.
  private static let addresses = [IPAddress("198.51.100.7"), IPAddress("2001:db8::7")].compactMap { $0 }

  /// Runs a program of Python in the pod's place. It may use `server(address, port)`.
  private func python(
    _ program: String, as user: TestUser = .own, _ change: (inout LaunchScript) throws -> Void = { _ in }
  ) async throws -> Outcome {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-uc", Self.prelude + program]))
    script.plan.podAddresses = Self.addresses
    try change(&script)
    return try await TestProcess(fixture.commandLine(script, as: user), keeping: fixture).outcome()
  }

  private static let prelude = """
    import ctypes, errno, os, socket, sys
    def server(address, port=0):
      s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_STREAM)
      s.bind((address, port))
      s.listen()
      return s

    """

  @Test(arguments: IsolationCase.all)
  func `A server binds to each of the pod's addresses, and its clients reach it there, under each isolation`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = RawString(try fixture.write("hosts", "127.201.0.1 private\n"))
    let outcome = try await python(
      """
      for address in '198.51.100.7', '::ffff:198.51.100.7', '2001:db8::7':
        s = server(address)
        print(s.getsockname()[0])
        for timeout in None, 5:
          c = socket.create_connection((address, s.getsockname()[1]), timeout)
          a = s.accept()[0]
          a.send(b'hello')
          print(c.recv(5), c.getpeername()[0])
      """, as: example.user
    ) {
      $0.plan.hostsFile = hosts
      $0.isolate(as: example)
    }
    let lines = ["127.0.0.1", "::ffff:127.0.0.1", "::1"].map { address in
      address + "\n" + String(repeating: "b'hello' \(address)\n", count: 2)
    }
    #expect(outcome.output == lines.joined())
    #expect(outcome.errors == "" && outcome.status == .exited(0))
  }

  @Test(arguments: [KernelFeatures.all, []])
  func `A bind to the pod's address fails as one to the loopback address does`(features: KernelFeatures) async throws {
    let outcome = try await python(
      """
      def attempt(s, address, port):
        try:
          s.bind((address, port))
          print('bound')
        except OSError as error:
          print(errno.errorcode[error.errno])
      s = server('198.51.100.7')
      attempt(socket.socket(), '198.51.100.7', s.getsockname()[1])
      attempt(s, '198.51.100.7', 0)
      only = socket.socket(socket.AF_INET6)
      only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      attempt(only, '::ffff:198.51.100.7', 0)
      attempt(socket.socket(), '198.51.100.8', 0)
      refused = socket.socket()
      print(errno.errorcode[refused.connect_ex(('198.51.100.7', 1))])
      """
    ) { $0.features = features }
    // The kernel may repeat a call after a signal: a second bind to the same place looks like the first one.
    #expect(outcome.output == "EADDRINUSE\nbound\nEINVAL\nEADDRNOTAVAIL\nECONNREFUSED\n")
    #expect(outcome.errors == "")
  }

  @Test func `A socket of UDP, a client and one of a descendant are bound to the pod's address too`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import os, socket
      u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      u.bind(('198.51.100.7', 0))
      print(u.getsockname()[0])
      c = socket.create_connection(('myapp1', 80), source_address=('198.51.100.7', 0))
      print(c.recv(100), c.getsockname()[0], flush=True)
      if os.fork() == 0:
        os.setsid()
        s = socket.socket()
        s.bind(('198.51.100.7', 0))
        print(s.getsockname()[0], flush=True)
        os._exit(0)
      os.wait()
      """
    ) { $0.plan.podAddresses = Self.addresses }
    #expect(outcome.output == "127.0.0.1\nb'hello\\n' 127.0.0.1\n127.0.0.1\n")
    #expect(outcome.errors == "")
  }

  @Test func `Binds to other addresses and of other families do what they do without devrun`() async throws {
    let outcome = try await python(
      """
      path = '/tmp/devrun-bind-%d' % os.getpid()
      u = socket.socket(socket.AF_UNIX)
      u.bind(path)
      os.unlink(path)
      abstract = socket.socket(socket.AF_UNIX)
      abstract.bind('\\0devrun-bind-%d' % os.getpid())
      n = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
      n.bind((0, 0))
      for address in '127.0.0.1', '0.0.0.0', '127.0.0.9', '::1', '::':
        print(server(address).getsockname()[0])
      libc = ctypes.CDLL(None, use_errno=True)
      s = socket.socket()
      # A null pointer, a length that is too short, one that is too long, and a descriptor that is none.
      for number, address, length in (s.fileno(), None, 16), (s.fileno(), b'x' * 16, 4), (s.fileno(), b'x' * 300, 300), (999, b'\\2' + b'\\0' * 15, 16):
        print(libc.bind(number, address, length), errno.errorcode[ctypes.get_errno()])
      """)
    #expect(outcome.output.hasPrefix("127.0.0.1\n0.0.0.0\n127.0.0.9\n::1\n::\n"))
    #expect(outcome.output.hasSuffix("-1 EFAULT\n-1 EINVAL\n-1 EINVAL\n-1 EBADF\n"))
    #expect(outcome.errors == "")
  }

  @Test func `In a network namespace of its own a descendant's bind is the kernel's`() async throws {
    let outcome = try await python(
      """
      print(ctypes.CDLL(None).unshare(0x50000000))
      # In a namespace without any route the kernel takes each address.
      print(server('198.51.100.7').getsockname()[0])
      """)
    guard outcome.output.hasPrefix("0\n") else { try Test.cancel("this machine lets nobody make a network namespace") }
    #expect(outcome.output == "0\n198.51.100.7\n")
    #expect(outcome.errors == "")
  }

  @Test(.enabled(if: is64BitX86, "an x86-64 machine is needed, for i386 code"))
  func `A 32-bit program binds to the pod's address by either of its system calls`() async throws {
    let fixture = try LaunchFixture()
    // Without any library: those of i386 are seldom installed.
    let program = try await fixture.compile(
      "i386",
      """
      static int call(int number, int a, const void *b, int c) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
        return result;
      }
      static const int stream[3] = {2, 1, 0};
      static const unsigned char address[16] = {2, 0, 0, 0, 198, 51, 100, 7};
      void _start(void) {
        int words[3] = {call(102, 1, stream, 0), (int)address, 16};
        int failed = call(102, 2, words, 0);
        failed |= call(361, call(102, 1, stream, 0), address, 16);
        call(1, failed ? 7 : 0, 0, 0);
      }
      """, ["-m32", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-fno-stack-protector", "-O1"])
    let bare = try await TestProcess.run([program], expecting: nil)
    guard bare.status == .exited(7) else { try Test.cancel("this kernel runs no 32-bit programs") }
    let outcome = try await fixture.run([program]) { $0.plan.podAddresses = Self.addresses }
    #expect(outcome.status == .exited(0))
  }

  @Test func `A listener on the pod's address is reported as one on the loopback address`() async throws {
    let fixture = try LaunchFixture()
    let fifo = try Fifo(fixture.path("log"))
    let log = try Transcript(of: fifo)
    let program =
      "s = server('198.51.100.7'); print(s.getsockname()[1]); sys.stdin.read()"
    let process = try fixture.launch(["python3", "-uc", Self.prelude + program]) {
      $0.plan.podAddresses = Self.addresses
      $0.plan.listenPorts = [1]
      $0.log = fifo.path
    }
    try await log.wait(for: "elsewhere ")
    process.closeInput()
    #expect(try await process.status() == .exited(0))
    let port = try await process.output.whole()
    #expect(try await log.whole().contains("elsewhere \(port)"))
  }

  @Test(.enabled(if: PrivilegedPorts.areKept, "this machine keeps no port for root"), arguments: IsolationCase.all)
  func `A port that is kept for root is reported once under each isolation, to those who may not have it`(
    _ example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = RawString(try fixture.write("hosts", "127.201.0.1 private\n"))
    let fifo = try Fifo(fixture.path("log"))
    chmod(fifo.path, 0o666)
    let log = try Transcript(of: fifo)
    let program = """
      for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM, socket.SOCK_STREAM:
        try:
          socket.socket(socket.AF_INET, kind).bind(('127.0.0.77', 1))
          print('bound')
        except OSError as error:
          print(errno.errorcode[error.errno])
      """
    let process = try fixture.launch(["python3", "-uc", Self.prelude + program], as: example.user) {
      $0.plan.hostsFile = hosts
      $0.plan.listenPorts = [2]
      $0.log = fifo.path
      $0.isolate(as: example)
    }
    let outcome = try await process.outcome()
    let reports = try await log.whole().split(separator: "\n").filter { $0 == "forbidden 1" }
    #expect(outcome.errors == "")
    #expect(reports.count == (outcome.output.contains("EACCES") ? 1 : 0))
    #expect(outcome.output == String(repeating: reports.isEmpty ? "bound\n" : "EACCES\n", count: 3))
  }
}

/// The ports that this machine keeps for root.
private enum PrivilegedPorts {
  static var areKept: Bool {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 1
  }
}
