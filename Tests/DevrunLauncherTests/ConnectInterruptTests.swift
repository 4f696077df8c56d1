import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Connections that are interrupted while they wait", .sharingTheMachine)
struct ConnectInterruptTests {
  @Test(arguments: TestUser.available)
  func `A signal interrupts a connect that waits for a silent service`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import signal, socket, time
      def late(*_): raise InterruptedError
      signal.signal(signal.SIGALRM, late)
      signal.setitimer(signal.ITIMER_REAL, 0.3)
      start = time.monotonic()
      try: socket.socket().connect(('127.201.0.4', 80))
      except InterruptedError: print('interrupted', time.monotonic() - start < 5)
      """, as: user)
    #expect(outcome.output == "interrupted True\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available)
  func `An interrupt of the keyboard reaches a Python program that waits for a silent service`(
    user: TestUser
  ) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import os, signal, socket, threading, time
      thread = threading.get_native_id()
      def interrupt():
        # Until it waits in its call.
        while 'seccomp' not in open(f'/proc/self/task/{thread}/wchan').read(): time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)
      threading.Thread(target=interrupt).start()
      start = time.monotonic()
      try: socket.create_connection(('silent', 80))
      except KeyboardInterrupt: print('interrupted', time.monotonic() - start < 5)
      """, as: user)
    #expect(outcome.output == "interrupted True\n")
    #expect(outcome.errors == "")
  }

  // By SIGALRM, whose handler jumps out of the call.
  @Test(.enabled(if: isInstalled("wget"), "wget is not installed"), arguments: TestUser.available)
  func `wget gives up on a silent service after the time that it was given`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let start = ContinuousClock.now
    let outcome = try await services.run(
      ["wget", "--connect-timeout=2", "--tries=1", "--no-verbose", "http://silent/"], as: user)
    #expect(outcome.status == .exited(4), "wget's status for a failure of the network")
    #expect(outcome.errors.contains("timed out"))
    #expect(start.duration(to: .now) < .seconds(10), "the dial itself takes for ever")
  }

  @Test(arguments: TestUser.available)
  func `Connections succeed, and refusals are reported, while signals make the kernel repeat the calls`(
    user: TestUser
  ) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import errno, signal, socket
      signal.signal(signal.SIGALRM, lambda *_: None)
      signal.siginterrupt(signal.SIGALRM, False)
      signal.setitimer(signal.ITIMER_REAL, 0.003, 0.003)
      good = 0
      for _ in range(100):
        with socket.create_connection(('10.96.0.9', 80)) as s: good += s.recv(100) == b'hello\\n'
      s = socket.socket()
      code = s.connect_ex(('127.201.0.3', 80))
      signal.setitimer(signal.ITIMER_REAL, 0)
      print(good, errno.errorcode[code] if code else 'connected')
      """, as: user)
    #expect(outcome.output == "100 ECONNREFUSED\n")
    #expect(outcome.errors == "" && outcome.status == .exited(0))
  }

  // Python then waits until the socket is writable (connect(2), EINTR).
  @Test(arguments: TestUser.available)
  func `A connect that a signal has interrupted goes on in the background`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import signal, socket
      signal.signal(signal.SIGALRM, lambda *_: print('signal'))
      signal.setitimer(signal.ITIMER_REAL, 0.5)
      s = socket.create_connection(('127.201.0.5', 80))
      print(s.recv(100))
      """, as: user
    ) {
      $0.routes.append(.init("127.201.0.5/32", acceptor: services.server.endpoint, delayMilliseconds: 3_000))
    }
    #expect(outcome.output == "signal\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  // devrun itself still waits for its listener when the signal comes.
  @Test(arguments: Surroundings.available, TestUser.available)
  func `A connect that a signal interrupts in its first moments leaves a connected socket`(
    surroundings: Surroundings, user: TestUser
  ) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import signal, socket
      # The first one shows devrun the listener.
      with socket.create_connection(('127.201.0.5', 80)) as s: print(s.recv(100))
      signal.signal(signal.SIGALRM, lambda *_: print('signal'))
      signal.setitimer(signal.ITIMER_REAL, 0.5)
      s = socket.create_connection(('127.201.0.5', 80))
      print(s.recv(100))
      """, as: user, in: surroundings
    ) {
      $0.routes.append(
        .init("127.201.0.5/32", acceptor: services.server.endpoint, acceptorDelayMilliseconds: 2_000))
    }
    #expect(outcome.output == "b'hello\\n'\nsignal\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  /// What the programs below have in common: a call that a signal of 0.3 s interrupts, and one that takes a socket's
  /// connection back.
  private static let interrupted = """
    import ctypes, errno, signal, socket, struct
    libc = ctypes.CDLL(None, use_errno=True)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.siginterrupt(signal.SIGALRM, True)
    def connect(s, address):
      raw = struct.pack('=HH4s8x', socket.AF_INET, socket.htons(80), socket.inet_aton(address))
      return errno.errorcode[ctypes.get_errno()] if libc.connect(s.fileno(), raw, 16) else 'connected'
    def interrupted(s, address):
      signal.setitimer(signal.ITIMER_REAL, 0.3)
      return connect(s, address)
    def disconnect(s): return libc.connect(s.fileno(), struct.pack('=H14x', socket.AF_UNSPEC), 16)
    s = socket.socket()

    """

  @Test func `A non-blocking connect of a socket whose first one goes on returns EALREADY at once`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      Self.interrupted + """
        import time
        print(interrupted(s, '127.201.0.4'))
        s.setblocking(False)
        start = time.monotonic()
        print(connect(s, '127.201.0.4'), time.monotonic() - start < 5)
        """)
    #expect(outcome.output == "EINTR\nEALREADY True\n")
    #expect(outcome.errors == "")
  }

  @Test func `A socket that was disconnected after an interruption can be connected again`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      Self.interrupted + """
        print(interrupted(s, '127.201.0.5'), disconnect(s), connect(s, '127.201.0.5'), s.recv(100))
        """
    ) {
      $0.routes.append(.init("127.201.0.5/32", acceptor: services.server.endpoint, delayMilliseconds: 1_500))
    }
    #expect(outcome.output == "EINTR 0 connected b'hello\\n'\n")
    #expect(outcome.errors == "")
  }

  @Test func `A late refusal does not end the connection that a program has made of the socket meanwhile`() async throws
  {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      Self.interrupted + """
        server = socket.create_server(('127.0.0.1', 0))
        print(interrupted(s, '127.201.0.3'), disconnect(s))
        s.connect(server.getsockname())
        # A refusal of a later call is later.
        print(connect(socket.socket(), '127.201.0.3'))
        peer = server.accept()[0]
        s.send(b'x')
        print(peer.recv(1))
        """)
    #expect(outcome.output == "EINTR 0\nECONNREFUSED\nb'x'\n")
    #expect(outcome.errors == "")
  }

  @Test func `A socket whose calls wait is connected at once or not at all, and keeps its time-out`() throws {
    let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let listener = Descriptor(try system { socket(AF_INET, type, 0) })
    try system { listen(listener.number, 0) }
    let endpoint = IPEndpoint(IPAddress(127, 0, 0, 1), port: try listener.localEndpoint().port)
    var results: [CallerSocket.Connection] = []
    var callers: [CallerSocket] = []
    for _ in 0..<2 {
      let descriptor = Descriptor(try system { socket(AF_INET, type, 0) })
      var time = timeval(tv_sec: 7, tv_usec: 0)
      try system {
        setsockopt(descriptor.number, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
      }
      let caller = try CallerSocket(descriptor, family: AF_INET)
      results.append(try caller.connectAtOnce(to: endpoint))
      #expect(try caller.timeout == .seconds(7))
      callers.append(caller)
    }
    // The queue has room for one.
    #expect(results.map(\.error) == [nil, .inProgress])
    #expect(results.allSatisfy { $0.local.port != 0 })
    for caller in callers { caller.release() }
  }

  @Test func `A second connect of a socket whose first one was interrupted waits for the same answer`() async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import ctypes, errno, signal, socket, struct
      libc = ctypes.CDLL(None, use_errno=True)
      signal.signal(signal.SIGALRM, lambda *_: None)
      signal.siginterrupt(signal.SIGALRM, True)
      address = struct.pack('=HH4s8x', socket.AF_INET, socket.htons(80), socket.inet_aton('127.201.0.3'))
      s = socket.socket()
      for time in (0.2, 0):
        signal.setitimer(signal.ITIMER_REAL, time)
        print(libc.connect(s.fileno(), address, 16), errno.errorcode[ctypes.get_errno()])
      s.connect(('127.201.0.1', 80))
      print(s.recv(100))
      """)
    #expect(outcome.output == "-1 EINTR\n-1 ECONNREFUSED\nb'hello\\n'\n")
    #expect(outcome.errors == "")
  }
}
