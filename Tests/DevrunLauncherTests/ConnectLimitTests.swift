import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Limits of connections", .sharingTheMachine)
struct ConnectLimitTests {
  /// Runs a program under a limit of open files. Connects to 127.201.0.5 wait for a service that accepts none; each takes a
  /// descriptor of devrun's meanwhile.
  private func run(limit: String, as user: TestUser, _ program: String) async throws -> Outcome {
    let services = try ServiceFixture()
    let listener = Descriptor(try system { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
    try system { listen(listener.number, 0) }
    let full = IPEndpoint(IPAddress(127, 0, 0, 1), port: try listener.localEndpoint().port)
    var script = LaunchScript(plan: try LaunchFixture.plan(["python3", "-c", program]))
    script.routes = services.routes + [.init("127.201.0.5/32", acceptor: full, errno: nil)]
    let line = try services.launches.commandLine(script)
    let outcome = try await TestProcess(
      user.command(["sh", "-c", "ulimit \(limit); exec \"$@\"", "sh"] + line), keeping: services
    ).outcome()
    listener.close()
    return outcome
  }

  @Test(arguments: TestUser.available)
  func `A program that raises its own limit of open files has as many connections as it wants`(
    user: TestUser
  ) async throws {
    let outcome = try await run(
      limit: "-Sn 100", as: user,
      """
      import errno, glob, os, resource, socket, sys, threading, time
      soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
      resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
      waiting = [socket.socket() for _ in range(150)]
      results = set()
      def run(s): results.add(errno.errorcode[s.connect_ex(('127.201.0.5', 80))])
      for s in waiting: threading.Thread(target=run, args=(s,), daemon=True).start()
      # Until all of them wait, or have failed. One of them may be connected: the service's queue has room for it.
      def pending(): return sum('seccomp' in open(f).read() for f in glob.glob('/proc/self/task/*/wchan'))
      while pending() < 149 and not results: time.sleep(0.01)
      print(soft, socket.create_connection(('127.201.0.1', 80)).recv(100), results)
      sys.stdout.flush()
      os._exit(0)
      """)
    // The program begins with the limit that devrun was started with.
    #expect(outcome.output == "100 b'hello\\n' set()\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available)
  func `A connection for which there is no descriptor fails, and does not go to the machine's own network`(
    user: TestUser
  ) async throws {
    // Each of the processes needs far fewer descriptors than devrun.
    let outcome = try await run(
      limit: "-n 100", as: user,
      """
      import errno, os, signal, socket, threading
      read, write = os.pipe()
      def run(s): os.write(write, errno.errorcode[s.connect_ex(('127.201.0.5', 80))].encode() + b'\\n')
      children = []
      for _ in range(5):
        pid = os.fork()
        if pid == 0:
          for s in [socket.socket() for _ in range(30)]: threading.Thread(target=run, args=(s,)).start()
          signal.pause()
        children.append(pid)
      first = os.fdopen(read).readline().strip()
      s = socket.socket()
      print(first, errno.errorcode[s.connect_ex(('127.201.0.1', 80))])
      for pid in children: os.kill(pid, signal.SIGKILL)
      """)
    // Nothing listens at the address itself: ECONNREFUSED.
    #expect(outcome.output == "ENETUNREACH ENETUNREACH\n")
    #expect(outcome.errors.contains("a connection to the cluster cannot be made"))
    #expect(outcome.errors.split(separator: "\n").count == 1)
  }

  @Test(arguments: TestUser.available)
  func `Non-blocking connections to a silent service hold an event loop up once`(user: TestUser) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import errno, socket, time
      def stall(addresses):
        start = time.monotonic()
        for address in addresses:
          s = socket.socket()
          s.setblocking(False)
          sockets.append(s)
          codes.add(errno.errorcode[s.connect_ex((address, 80))])
        return time.monotonic() - start
      sockets, codes = [], set()
      same = stall(['127.201.0.4'] * 50)
      others = stall([f'127.202.0.{n}' for n in range(1, 51)])
      # One by one each series would take 10 s.
      print(codes, same < 4 or same, others < 4 or others)
      # Another destination is waited for.
      s = socket.socket()
      s.setblocking(False)
      print(errno.errorcode[s.connect_ex(('127.201.0.2', 80))])
      """, as: user
    ) { $0.routes.append(.init("127.202.0.0/16", acceptor: services.server.endpoint, errno: nil)) }
    #expect(outcome.output.hasPrefix("{'EINPROGRESS'} True True\n"), "\(outcome.output)")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available)
  func `Many non-blocking connections to a service that answers slowly hold an event loop up for a second at most`(
    user: TestUser
  ) async throws {
    let services = try ServiceFixture()
    let outcome = try await services.python(
      """
      import select, socket, time
      sockets = []
      start = time.monotonic()
      for _ in range(50):
        s = socket.socket()
        s.setblocking(False)
        sockets.append(s)
        s.connect_ex(('127.201.0.5', 80))
      # One by one they would take 7.5 s.
      stall = time.monotonic() - start
      print(stall < 4 or stall)
      """, as: user
    ) {
      $0.routes.append(.init("127.201.0.5/32", acceptor: services.server.endpoint, delayMilliseconds: 150))
    }
    #expect(outcome.output == "True\n")
    #expect(outcome.errors == "")
  }

  @Test(arguments: TestUser.available, ConnectionCounts.available)
  func `A program with a raised limit of open files has thousands of connections at the same time`(
    user: TestUser, count: Int
  ) async throws {
    let services = try ServiceFixture()
    // Each queue has room for as many as nobody accepts.
    let listeners = try (0..<5).map { _ in
      let listener = Descriptor(try system { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
      try system { listen(listener.number, 4096) }
      return listener
    }
    var script = LaunchScript(
      plan: try LaunchFixture.plan([
        "python3", "-c",
        """
        import errno, resource, socket
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        results, sockets = {}, []
        for n in range(\(count)):
          s = socket.socket()
          s.setblocking(n % 2 == 0)
          sockets.append(s)
          code = errno.errorcode.get(s.connect_ex(('127.201.0.5', 1 + n % 5)), 'connected')
          results[code] = results.get(code, 0) + 1
        print(soft, sorted(results.items()), len({(s.getsockname(), s.getpeername()) for s in sockets}))
        """,
      ]))
    for (index, listener) in listeners.enumerated() {
      let queue = IPEndpoint(IPAddress(127, 0, 0, 1), port: try listener.localEndpoint().port)
      script.routes.append(.init("127.201.0.5/32", port: UInt16(1 + index), acceptor: queue))
    }
    let line = try services.launches.commandLine(script, as: user)
    let outcome = try await TestProcess(
      ["sh", "-c", "ulimit -Sn 256 && exec \"$@\"", "sh"] + line, keeping: services
    ).outcome()
    for listener in listeners { listener.close() }
    let half = count / 2
    #expect(
      outcome.output
        == "256 [('EINPROGRESS', \(half)), ('connected', \(half))] \(count)\n")
    #expect(outcome.errors == "")
  }

  @Test func `The waits of a thread have a bound, and a destination that did not answer is not waited for again`() {
    var budget = WaitBudget()
    let now = ContinuousClock.now
    func place(_ last: UInt8) -> IPEndpoint { IPEndpoint(IPAddress(10, 0, 0, last), port: 80) }
    #expect(budget.patience(of: 1, for: place(1), at: now) == .milliseconds(200))
    budget.spend(.milliseconds(200), inVain: true, of: 1, on: place(1), at: now)
    #expect(budget.patience(of: 1, for: place(1), at: now) == .zero)
    #expect(budget.patience(of: 2, for: place(1), at: now) == .zero)
    #expect(budget.patience(of: 1, for: place(2), at: now) == .milliseconds(40))
    #expect(budget.patience(of: 2, for: place(2), at: now) == .milliseconds(200))
    budget.restore(place(1))
    #expect(budget.patience(of: 2, for: place(1), at: now) == .milliseconds(200))
    #expect(budget.patience(of: 1, for: place(2), at: now + WaitBudget.memory) == .milliseconds(200))
    // What was answered counts less, and the destination is waited for again.
    budget.spend(.milliseconds(100), inVain: false, of: 3, on: place(3), at: now)
    #expect(budget.patience(of: 3, for: place(3), at: now) == .milliseconds(180))
    for _ in 0..<9 { budget.spend(.milliseconds(100), inVain: false, of: 3, on: place(3), at: now) }
    #expect(budget.patience(of: 3, for: place(3), at: now) == .zero)
  }
}

/// How many connections a program has at a time.
enum ConnectionCounts {
  /// Two thousand, and twenty thousand or as many as this machine's hard limit of open files has room for.
  static var available: [Int] {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return [2_000] }
    // Even, and some are needed for other files.
    let most = Int(clamping: min(limit.rlim_max, 30_000)) / 2 * 2 - 200
    return [2_000, min(20_000, most)].filter { $0 <= most }
  }
}
