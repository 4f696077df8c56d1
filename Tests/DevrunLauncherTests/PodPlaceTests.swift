import DevrunCore
import DevrunPlan
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("The pod's own address beside the loopback address", .sharingTheMachine)
struct PodPlaceTests {
  /// The pod's addresses: none of them is this machine's.
  private static let addresses = [IPAddress("198.51.100.7"), IPAddress("2001:db8::7")].compactMap { $0 }

  private static let prelude = """
    import errno, socket
    def bound(address, port=0, kind=socket.SOCK_STREAM, reuse=False):
      s = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, kind)
      s.settimeout(10)
      if reuse: s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
      if ':' in address: s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
      s.bind((address, port))
      return s
    def attempt(work):
      try:
        return work()
      except OSError as error:
        return errno.errorcode.get(error.errno, str(error))

    """

  /// Runs a program of Python in the pod's place.
  private func python(_ program: String, _ change: (inout LaunchScript) -> Void = { _ in }) async throws -> Outcome {
    let fixture = try LaunchFixture()
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-uc", Self.prelude + program]))
    script.plan.podAddresses = Self.addresses
    change(&script)
    return try await TestProcess(fixture.commandLine(script), keeping: fixture).outcome()
  }

  @Test(arguments: [
    ("127.0.0.1", "198.51.100.7"), ("198.51.100.7", "127.0.0.1"), ("::1", "2001:db8::7"), ("2001:db8::7", "::1"),
  ])
  func `A server has one port on the loopback address and on the pod's, in either order, and both are reached`(
    first: String, second: String
  ) async throws {
    let outcome = try await python(
      """
      for reuse, chosen in (False, False), (True, False), (True, True):
        a = bound('\(first)', reuse=reuse)
        port = a.getsockname()[1]
        if not chosen:
          a.close()
          a = bound('\(first)', port, reuse=reuse)
        # All are bound first, as asyncio does it, or each is bound and listens, as Redis does it.
        if not reuse: a.listen()
        b = bound('\(second)', port, reuse=reuse)
        if reuse: a.listen()
        b.listen()
        for listener, address in (a, '\(first)'), (b, '\(second)'):
          c = socket.create_connection((address, port), 10)
          s = listener.accept()[0]
          s.send(b'hello')
          print(c.recv(5))
          c.close(); s.close()
        a.close(); b.close()
        # Without the other, each is at the loopback address again.
        for address in '\(first)', '\(second)':
          s = bound(address, port, reuse=True)
          print(s.getsockname()[0])
          s.listen()
          c = socket.create_connection((address, port), 10)
          s.accept()[0].close(); c.close(); s.close()
      """)
    let loopback = first.contains(":") ? "::1" : "127.0.0.1"
    let round = String(repeating: "b'hello'\n", count: 2) + String(repeating: loopback + "\n", count: 2)
    #expect(outcome.output == round + round + round)
    #expect(outcome.errors == "" && outcome.status == .exited(0))
  }

  @Test func `A port that another process has on the loopback address is in use on the pod's`() async throws {
    let server = try GreetingServer()
    defer { server.stop() }
    let outcome = try await python("print(attempt(lambda: bound('198.51.100.7', \(server.endpoint.port))))")
    #expect(outcome.output == "EADDRINUSE\n")
    #expect(outcome.errors == "")
  }

  @Test func `A UDP socket that is connected to the pod's address reaches the server that is bound to it`() async throws
  {
    let outcome = try await python(
      """
      for address in '198.51.100.7', '::ffff:198.51.100.7', '2001:db8::7':
        plain = address.replace('::ffff:', '')
        loopback = '::1' if ':' in plain else '127.0.0.1'
        port = bound(plain, 0, socket.SOCK_DGRAM).getsockname()[1]
        for servers in [plain], [loopback, plain]:
          all = [bound(a, port, socket.SOCK_DGRAM) for a in servers]
          c = socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET, socket.SOCK_DGRAM)
          c.settimeout(10)
          c.connect((address, port))
          c.send(b'hello')
          data, sender = all[-1].recvfrom(5)
          all[-1].sendto(b'yes', sender)
          print(data, c.recv(5))
          for s in all: s.close()
      """)
    #expect(outcome.output == String(repeating: "b'hello' b'yes'\n", count: 6))
    #expect(outcome.errors == "")
  }

  @Test(.enabled(if: PrivateMachine.isToBeHad, PrivateMachine.need))
  func `A client that is bound to the pod's address connects to other machines from this one's address`() async throws {
    let fixture = try LaunchFixture()
    let program = """
      for address in '192.0.2.1', '::ffff:192.0.2.1', '2001:db8:1::1':
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        pods = {'192.0.2.1': '198.51.100.7', '::ffff:192.0.2.1': '::ffff:198.51.100.7'}.get(address, '2001:db8::7')
        server = socket.socket(family)
        server.bind((address, 0))
        server.listen()
        place = server.getsockname()[:2]
        for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
          c = socket.socket(family, kind)
          c.settimeout(10)
          if kind == socket.SOCK_STREAM: c.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
          c.bind((pods, 0))
          print(c.getsockname()[1] > 0, c.connect_ex(place), c.getsockname()[0], end=' ')
          if kind == socket.SOCK_STREAM: print(server.accept()[1][0], c.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), end=' ')
        print()
      # What is bound to a certain port keeps it, and no answer would come.
      for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        c = bound('198.51.100.7', 40123, kind)
        print(attempt(lambda: c.connect(('192.0.2.1', 9))))
      # A listener stays where it is.
      s = bound('198.51.100.7')
      s.listen()
      print(s.connect_ex(('192.0.2.1', 9)) != 0, s.getsockname()[0])
      """
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-uc", Self.prelude + program]))
    script.plan.podAddresses = Self.addresses
    let network = """
      ip link set lo up; ip addr add 192.0.2.1/32 dev lo; ip -6 addr add 2001:db8:1::1/128 dev lo nodad; exec "$@"
      """
    let line = ["unshare", "--net", "sh", "-ec", network, "sh"] + (try fixture.commandLine(script))
    let outcome = try await TestProcess(line, keeping: fixture).outcome()
    let lines = ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1::1"].map { address in
      "True 0 \(address) \(address) 1 True 0 \(address) \n"
    }
    #expect(outcome.output == lines.joined() + "EADDRNOTAVAIL\nEADDRNOTAVAIL\nTrue 127.0.0.1\n")
    #expect(outcome.errors == "")
  }
}
