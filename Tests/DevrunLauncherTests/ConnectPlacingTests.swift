import DevrunCore
import DevrunPlan
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Connections in a container", .sharingTheMachine, .enabled(if: is64BitX86, "an x86-64 machine is needed"))
struct ConnectPlacingTests {
  private func python(_ program: String, in surroundings: Surroundings, as user: TestUser) async throws -> Outcome {
    try await ServiceFixture().python(program, as: user, in: surroundings)
  }

  @Test(arguments: [.container, .oldContainer] as [Surroundings], TestUser.available)
  func `Connections are redirected where sockets cannot be duplicated`(
    surroundings: Surroundings, user: TestUser
  ) async throws {
    let outcome = try await python(
      """
      import asyncio, errno, fcntl, os, socket
      print(socket.create_connection(('myapp1', 80)).recv(100))
      print(socket.create_connection(('10.96.0.7', 80), 5).recv(100))
      print(socket.create_connection(('fd00:1234::7', 80)).recv(100))
      async def one():
        reader, writer = await asyncio.open_connection('10.100.0.1', 80)
        line = await reader.readline()
        writer.close()
        return line
      print(asyncio.run(one()))
      # A refused socket may be used again, and a connected one is connected.
      s = socket.socket()
      print(errno.errorcode[s.connect_ex(('127.201.0.2', 80))])
      s.connect(('127.201.0.1', 80))
      print(os.get_inheritable(s.fileno()), s.recv(100))
      datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
      datagram.connect(('127.201.0.1', 53))
      print(datagram.getpeername())
      print(errno.errorcode[socket.socket().connect_ex(('127.0.0.1', 1))])
      """, in: surroundings, as: user)
    #expect(
      outcome.output
        == String(repeating: "b'hello\\n'\n", count: 4)
        + "ECONNREFUSED\nFalse b'hello\\n'\n('127.201.0.1', 53)\nECONNREFUSED\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
  }

  @Test(arguments: TestUser.available)
  func `A connected socket that was put in place stays connected when its program connects it again`(
    user: TestUser
  ) async throws {
    let outcome = try await python(
      """
      import errno, socket, threading
      s = socket.create_connection(('127.201.0.1', 80))
      # By another thread, so that it cannot be the same call again.
      def again(): print(errno.errorcode[s.connect_ex(('127.201.0.1', 80))])
      t = threading.Thread(target=again)
      t.start()
      t.join()
      print(s.recv(100))
      """, in: .container, as: user)
    #expect(outcome.output == "EISCONN\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available)
  func `A socket that was registered with epoll before its connect is reported once`(user: TestUser) async throws {
    let outcome = try await python(
      """
      import select, socket
      for _ in range(2):
        early = socket.create_connection(('127.201.0.1', 80), 5)
        print(early.recv(100))
        early.close()
        s = socket.socket()
        s.setblocking(False)
        poll = select.epoll()
        poll.register(s, select.EPOLLOUT)
        s.connect_ex(('127.201.0.1', 80))
        select.select([s], [], [])
        print(s.recv(100))
        s.close()
      """, in: .container, as: user)
    #expect(outcome.output == String(repeating: "b'hello\\n'\n", count: 4))
    #expect(outcome.errors.contains("(python3) waits for events") && outcome.errors.contains("SYS_PTRACE"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test(arguments: TestUser.available)
  func `A connect succeeds while signals interrupt it where sockets cannot be duplicated`(
    user: TestUser
  ) async throws {
    let outcome = try await python(
      """
      import signal, socket
      signal.signal(signal.SIGALRM, lambda *_: None)
      signal.siginterrupt(signal.SIGALRM, False)
      signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
      good = 0
      for _ in range(100):
        with socket.create_connection(('10.96.0.9', 80)) as s: good += s.recv(100) == b'hello\\n'
      signal.setitimer(signal.ITIMER_REAL, 0)
      print(good)
      """, in: .container, as: user)
    #expect(outcome.output == "100\n")
    #expect(outcome.errors == "")
  }
}
