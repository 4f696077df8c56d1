import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Connections", .sharingTheMachine)
struct ConnectTests {
  /// Runs a Python program as the child.
  private func python(
    _ program: String, as user: TestUser = .own, features: KernelFeatures = .all
  ) async throws -> (outcome: Outcome, accepted: Int) {
    let services = try ServiceFixture()
    let outcome = try await services.python(program, as: user) { $0.features = features }
    return (outcome, services.server.accepted)
  }

  private static let levels: [KernelFeatures] = [
    .all, [], .synchronousWakeUp, .threadDescriptors, .namespaceCookies,
  ]

  @Test(arguments: TestUser.available)
  func `A connection to a service's name on port 80 reaches the service`(user: TestUser) async throws {
    let (outcome, accepted) = try await python(
      "import socket; print(socket.create_connection(('myapp1', 80)).recv(100))", as: user)
    #expect(outcome.output == "b'hello\\n'\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
    #expect(accepted == 1)
  }

  @Test(arguments: levels)
  func `Connections to IPv4, IPv6 and IPv4-mapped addresses reach the service`(features: KernelFeatures) async throws {
    let (outcome, accepted) = try await python(
      """
      import socket
      for address in ('10.97.1.2', '::ffff:127.201.0.1', 'fd00:1234::7'):
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        s = socket.socket(family)
        s.connect((address, 80))
        print(s.recv(100))
      """, features: features)
    #expect(outcome.output == String(repeating: "b'hello\\n'\n", count: 3))
    #expect(outcome.errors == "")
    #expect(accepted == 3)
  }

  @Test func `A refused connection returns ECONNREFUSED and leaves the socket usable, blocking or not`() async throws {
    let (outcome, accepted) = try await python(
      """
      import errno, socket
      for blocking in (True, False):
        s = socket.socket()
        s.setblocking(blocking)
        print(errno.errorcode[s.connect_ex(('127.201.0.2', 5432))])
        # The socket is as it was, and may be used again.
        s.setblocking(True)
        s.connect(('127.201.0.1', 80))
        print(s.recv(100))
      """)
    #expect(outcome.output == String(repeating: "ECONNREFUSED\nb'hello\\n'\n", count: 2))
    #expect(accepted == 2)
  }

  @Test func `A blocking connect waits for a slow refusal, and a non-blocking one returns EINPROGRESS`() async throws {
    let (outcome, _) = try await python(
      """
      import errno, socket, struct
      s = socket.socket()
      print(errno.errorcode[s.connect_ex(('127.201.0.3', 80))])
      s = socket.socket()
      s.setblocking(False)
      print(errno.errorcode[s.connect_ex(('127.201.0.3', 80))])
      s = socket.socket()
      s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 50000))
      print(errno.errorcode[s.connect_ex(('127.201.0.4', 80))])
      """)
    #expect(outcome.output == "ECONNREFUSED\nEINPROGRESS\nEINPROGRESS\n")
  }

  @Test(arguments: TestUser.available)
  func `An asyncio program reaches a service and reports a refused connection`(user: TestUser) async throws {
    let (outcome, accepted) = try await python(
      """
      import asyncio
      async def one():
        reader, writer = await asyncio.open_connection('10.100.0.1', 80)
        line = await reader.readline()
        writer.close()
        return line
      async def refused():
        try:
          await asyncio.open_connection('127.201.0.2', 80)
        except ConnectionRefusedError:
          return 'refused'
      async def main():
        print(set(await asyncio.gather(*(one() for _ in range(50)))), await refused())
      asyncio.run(main())
      """, as: user)
    #expect(outcome.output == "{b'hello\\n'} refused\n")
    #expect(accepted == 50)
  }

  @Test func `Connections to other addresses, Unix sockets and UDP sockets are not redirected`() async throws {
    let (outcome, _) = try await python(
      """
      import errno, socket, tempfile, os
      server = socket.create_server(('127.0.0.1', 0))
      s = socket.create_connection(server.getsockname())
      print(s.getpeername() == server.getsockname())
      print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', 1))])
      path = os.path.join(tempfile.mkdtemp(), 'socket')
      unix = socket.socket(socket.AF_UNIX)
      unix.bind(path)
      unix.listen()
      socket.socket(socket.AF_UNIX).connect(path)
      datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      datagram.connect(('127.201.0.1', 53))
      print(datagram.getpeername())
      os.unlink(path)
      os.rmdir(os.path.dirname(path))
      """)
    #expect(outcome.output == "True\nECONNREFUSED\n('127.201.0.1', 53)\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: [.all, [], [.synchronousWakeUp]] as [KernelFeatures])
  func `Every connection succeeds while a timer signal interrupts the program every few milliseconds`(
    features: KernelFeatures
  ) async throws {
    let (outcome, accepted) = try await python(
      """
      import signal, socket
      signal.signal(signal.SIGALRM, lambda *_: None)
      signal.siginterrupt(signal.SIGALRM, False)
      signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
      good = 0
      for _ in range(200):
        s = socket.socket()
        s.connect(('10.96.0.9', 80))
        good += s.recv(100) == b'hello\\n'
        s.close()
      print(good)
      """, features: features)
    #expect(outcome.output == "200\n")
    #expect(outcome.errors == "")
    #expect(accepted == 200)
  }

  @Test func `Fifty threads that connect at the same time all reach the service`() async throws {
    let (outcome, accepted) = try await python(
      """
      import socket, threading
      results = []
      def run():
        for _ in range(20):
          with socket.create_connection(('127.201.0.1', 80)) as s:
            results.append(s.recv(100))
      threads = [threading.Thread(target=run) for _ in range(50)]
      for t in threads: t.start()
      for t in threads: t.join()
      print(len(results), set(results))
      """)
    #expect(outcome.output == "1000 {b'hello\\n'}\n")
    #expect(accepted == 1000)
  }

  @Test func `Processes that are killed in the middle of a connect do not disturb later connections`() async throws {
    let (outcome, accepted) = try await python(
      """
      import os, signal, socket, time
      pids = []
      for _ in range(20):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
          os.write(w, b'x')
          socket.socket().connect(('127.201.0.4', 80))
          os._exit(0)
        os.read(r, 1)
        pids.append(pid)
      for pid in pids: os.kill(pid, signal.SIGKILL)
      print({os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids})
      print(socket.create_connection(('127.201.0.1', 80)).recv(100))
      """)
    #expect(outcome.output == "{-9}\nb'hello\\n'\n")
    // Their sockets may have come that far.
    #expect((1...21).contains(accepted))
  }

  @Test(arguments: TestUser.available)
  func `A statically linked C program reaches a service`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let client = try await services.launches.compile(
      "client",
      """
      #include <arpa/inet.h>
      #include <stdio.h>
      #include <sys/socket.h>
      #include <unistd.h>
      int main(void) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
        inet_pton(AF_INET, "127.201.0.1", &address.sin_addr);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(s, (struct sockaddr *)&address, sizeof address)) { perror("connect"); return 1; }
        char text[100];
        long count = read(s, text, sizeof text);
        return fwrite(text, 1, count, stdout) == 6 ? 0 : 2;
      }
      """, ["-static"])
    let outcome = try await services.run([client], as: user)
    #expect(outcome.output == "hello\n" && outcome.status == .exited(0))
  }

  @Test func `TCP fast open by sendto and io_uring are refused, and TCP_FASTOPEN_CONNECT connects`() async throws {
    let (outcome, accepted) = try await python(
      """
      import ctypes, errno, socket
      s = socket.socket()
      try:
        s.sendto(b'x', 0x20000000, ('127.201.0.1', 80))
      except OSError as error:
        print(error.errno == errno.EOPNOTSUPP)
      libc = ctypes.CDLL(None, use_errno=True)
      print(libc.syscall(425, 8, 0), errno.errorcode[ctypes.get_errno()])
      # "Fast open by connect" (TCP_FASTOPEN_CONNECT is 30) connects nevertheless.
      s = socket.socket()
      s.setsockopt(socket.IPPROTO_TCP, 30, 1)
      s.connect(('127.201.0.1', 80))
      print(s.recv(100))
      """)
    #expect(outcome.output == "True\n-1 ENOSYS\nb'hello\\n'\n")
    #expect(accepted == 1)
  }

  @Test(arguments: [.all, []] as [KernelFeatures])
  func `A process that the command leaves behind connects as if devrun were not there`(
    features: KernelFeatures
  ) async throws {
    let services = try ServiceFixture()
    let (fixture, server) = (services.launches, services.server)
    let go = try Fifo(fixture.path("go"))
    let script = """
      import errno, os, socket, sys
      if os.fork():
        sys.exit(0)
      os.setsid()
      open('\(go.path)').read()
      print(errno.errorcode[socket.socket().connect_ex(('127.201.0.1', 80))])
      print(socket.create_connection(('127.0.0.1', \(server.endpoint.port))).recv(100))
      """
    let log = try Transcript(of: Fifo(fixture.path("log")))
    let process = try services.launch(["python3", "-c", script]) {
      $0.features = features
      $0.log = fixture.path("log")
    }
    // devrun has ended; its keeper has not.
    #expect(try await process.status() == .exited(0))
    try await go.openForWriting().close()
    #expect(try await process.output.whole() == "ECONNREFUSED\nb'hello\\n'\n")
    // The keeper writes to it as long as it is there.
    #expect(try await log.whole().contains("ended"))
  }

  @Test(.enabled(if: is64BitX86, "an x86-64 machine is needed, for i386 code"))
  func `A 64-bit program reaches a service through the 32-bit system calls`() async throws {
    let services = try ServiceFixture()
    // 64-bit code may call the kernel as i386 code does, if its memory is where 32 bits reach.
    let compat = try await services.launches.compile(
      "compat",
      """
      #include <arpa/inet.h>
      #include <stdio.h>
      #include <sys/socket.h>
      #include <unistd.h>
      static struct sockaddr_in address = {.sin_family = AF_INET};
      static unsigned words[3];
      static int call(int number, long a, long b, long c) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory", "r8", "r9", "r10", "r11");
        return result;
      }
      static int call4(int number, long a, long b, long c, long d) {
        int result;
        __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory", "r8", "r9", "r10", "r11");
        return result;
      }
      int main(void) {
        address.sin_port = htons(80);
        inet_pton(AF_INET, "127.201.0.1", &address.sin_addr);
        int s = socket(AF_INET, SOCK_STREAM, 0);
        printf("%d ", call(362, s, (long)&address, sizeof address));
        char text[100];
        printf("%ld ", (long)read(s, text, sizeof text));
        close(s);
        s = socket(AF_INET, SOCK_STREAM, 0);
        words[0] = s, words[1] = (unsigned)(long)&address, words[2] = sizeof address;
        printf("%d ", call(102, 3, (long)words, 0));
        printf("%ld ", (long)read(s, text, sizeof text));
        // Fast open (0x20000000) by sendmsg and sendmmsg. Without a message they would fail otherwise.
        printf("%d ", call(370, s, 0, 0x20000000));
        printf("%d\\n", call4(345, s, 0, 0, 0x20000000));
        return 0;
      }
      """, ["-static", "-no-pie"])
    let outcome = try await services.run([compat])
    #expect(outcome.output == "0 6 0 6 -95 -95\n")
    #expect(services.server.accepted == 2)
  }

  @Test func `A devrun inside another devrun exits with 125 and reports the outer one`() async throws {
    let fixture = try LaunchFixture()
    let inner = try fixture.commandLine(LaunchScript(plan: LaunchFixture.plan(["true"])))
    let outcome = try await fixture.run(inner)
    #expect(outcome.status == .exited(125))
    #expect(outcome.errors.contains("under another devrun"))
  }
}
