import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Resources of connections", .sharingTheMachine(for: .seconds(600)))
struct ConnectResourceTests {
  /// Runs a Python program of two parts, and looks at its keeper before the second part and after it. `ready()` ends a
  /// part.
  private func growth(
    _ preparation: String, _ program: String, _ services: ServiceFixture,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> (descriptors: Int, output: String) {
    let process = try services.launch(
      [
        "python3", "-c",
        """
        import os, sys
        def ready():
          print('ready', os.getppid(), flush=True)
          sys.stdin.readline()
        \(preparation)
        ready()
        \(program)
        print('done', flush=True)
        ready()
        """,
      ], change)
    let start = try await process.output.wait(for: "ready ", "\n")
    let keeper = process.output.text.split(separator: "\n").last { $0.starts(with: "ready") }?.split(separator: " ")
      .last
    let folder = RawString("/proc/\(try #require(keeper))/fd")
    let before = try Directory.entries(of: folder).count
    try process.write("\n")
    try await process.output.wait(for: "ready", after: start, within: .seconds(600))
    let after = try Directory.entries(of: folder).count
    let output = String(decoding: process.output.bytes.dropFirst(start), as: UTF8.self)
    process.closeInput()
    #expect(try await process.status() == .exited(0))
    #expect(process.errors.text == "")
    return (after - before, output.prefix { $0 != "\n" }.description)
  }

  private static let one = """
    import socket
    def one():
      with socket.create_connection(('127.201.0.1', 80)) as s: return s.recv(100) == b'hello\\n'
    """

  @Test func `Forty thousand connections in a row succeed and leave no descriptors open`() async throws {
    // More than there are ports: those of connections that the child ended first are used again after a second.
    let services = try ServiceFixture()
    let (descriptors, output) = try await growth(
      "\(Self.one)\nfor _ in range(100): one()", "print(sum(one() for _ in range(40000)), end=' ')", services)
    #expect(output == "40000 done")
    #expect(descriptors <= 2, "a dial may be on its end at either time")
    #expect(services.server.accepted == 40_100)
  }

  @Test func `Descriptors are closed after callers are killed while they wait for a silent service`() async throws {
    let services = try ServiceFixture()
    let (descriptors, _) = try await growth(
      Self.one,
      """
      import signal
      for _ in range(400):
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
          s = socket.socket()
          os.write(w, b'x')
          s.connect(('127.201.0.4', 80))
        os.read(r, 1)
        # Once its call has arrived: another one of this thread's is dealt with after it.
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(r), os.close(w)
      """, services)
    #expect(descriptors < 100)
  }

  @Test func `A non-blocking connection ends as soon as its program closes the socket`() async throws {
    let services = try ServiceFixture()
    // The server takes the second one only after the first has ended.
    let outcome = try await services.python(
      """
      import select, socket
      for _ in range(2):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(('127.201.0.4', 80))
        select.select([s], [], [])
        print(s.recv(100))
        s.close()
      """)
    #expect(outcome.output == "b'hello\\n'\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  @Test func `A service that accepts no connections does not delay connections to other services`() async throws {
    let services = try ServiceFixture()
    let listener = Descriptor(try system { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
    try system { listen(listener.number, 0) }
    let full = IPEndpoint(IPAddress(127, 0, 0, 1), port: try listener.localEndpoint().port)
    let outcome = try await services.python(
      """
      import os, socket, sys, threading
      waiting = [socket.socket() for _ in range(20)]
      for s in waiting: threading.Thread(target=s.connect, args=(('127.201.0.5', 80),), daemon=True).start()
      for _ in range(20): print(socket.create_connection(('127.201.0.1', 80)).recv(100))
      sys.stdout.flush()
      os._exit(0)
      """
    ) { $0.routes.append(.init("127.201.0.5/32", acceptor: full)) }
    #expect(outcome.output == String(repeating: "b'hello\\n'\n", count: 20))
    #expect(outcome.status == .exited(0))
  }
}
