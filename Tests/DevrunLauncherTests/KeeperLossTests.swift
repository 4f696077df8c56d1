import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Loss of the keeper", .sharingTheMachine)
struct KeeperLossTests {
  /// A command that prints the keeper's id, and what it gets.
  private static func command(_ action: String) -> [String] {
    [
      "python3", "-uc",
      SignalWatch.python + """
        def act(number): \(action)
        on_signals([signal.SIGTERM], act)
        print(os.getppid(), "ready")
        threading.Event().wait()
        """,
    ]
  }

  private func keeper(of process: TestProcess) async throws -> pid_t {
    try await process.output.wait(for: "ready\n")
    return try #require(process.output.text.split(separator: " ").first.flatMap { pid_t($0) })
  }

  @Test(arguments: IsolationCase.all)
  func `The command gets SIGTERM once when the keeper is killed, and devrun exits with 125`(
    example: IsolationCase
  ) async throws {
    let fixture = try LaunchFixture()
    let hosts = try fixture.write("hosts", "127.201.0.1 private\n")
    let process = try fixture.launch(
      Self.command("print('terminated'); os._exit(0)"), as: example.user
    ) {
      $0.plan.hostsFile = RawString(hosts)
      $0.isolate(as: example)
    }
    kill(try await keeper(of: process), SIGKILL)
    #expect(try await process.status() == .exited(125))
    // All who hold it are gone.
    #expect(try await process.output.whole().hasSuffix("ready\nterminated\n"))
    try await process.errors.wait(for: "devrun restore")
  }

  @Test(arguments: TestUser.available)
  func `A command that ignores SIGTERM is killed when its keeper is, after a grace period`(
    user: TestUser
  ) async throws {
    let process = try LaunchFixture().launch(Self.command("pass"), as: user)
    kill(try await keeper(of: process), SIGKILL)
    #expect(try await process.status() == .exited(125))
    try await process.output.whole()
  }

  @Test func `A further signal ends the grace period`() async throws {
    let process = try LaunchFixture().launch(Self.command("print('terminated')"))
    kill(try await keeper(of: process), SIGKILL)
    try await process.output.wait(for: "terminated\n")
    let start = ContinuousClock.now
    process.signal(SIGINT)
    #expect(try await process.status() == .exited(125))
    #expect(ContinuousClock.now - start < FrontChild.grace)
    #expect(try await process.output.whole().hasSuffix("ready\nterminated\n"))
  }

  @Test(arguments: TestUser.available, [false, true])
  func `The command gets SIGTERM when both front and keeper are killed, in whichever order`(
    user: TestUser, frontFirst: Bool
  ) async throws {
    let process = try LaunchFixture().launch(Self.command("print('terminated')"), as: user)
    let keeper = try await keeper(of: process)
    // Neither sees the end of the other.
    for one in [process.id, keeper] { kill(one, SIGSTOP) }
    for one in frontFirst ? [process.id, keeper] : [keeper, process.id] { kill(one, SIGKILL) }
    #expect(try await process.status() == .killed(SIGKILL, coreDumped: false))
    // SIGKILL ends the command, which goes on after SIGTERM.
    #expect(try await process.output.whole().hasSuffix("ready\nterminated\n"))
    #expect(try await process.errors.whole() == "")
  }

  @Test func `What the command left running keeps its connects when devrun is ended at once`() async throws {
    let services = try ServiceFixture()
    let fixture = services.launches
    let finish = try Fifo(fixture.path("finish"))
    let go = try Fifo(fixture.path("go"))
    let log = try Transcript(of: Fifo(fixture.path("log")))
    let program = """
      import os, socket
      if os.fork(): os._exit(0)
      os.setsid()
      os.close(2)
      open('\(go.path)').read()
      print(socket.create_connection(('127.0.0.1', \(services.server.endpoint.port))).recv(100))
      """
    let process = try services.launch(["python3", "-c", program]) {
      $0.finishAfter = finish.path
      $0.givesUp = true
      $0.log = fixture.path("log")
    }
    try await log.wait(for: "\nended\n")
    process.signal(SIGTERM)
    #expect(try await process.status() == .exited(125))
    // devrun's standard error is not held open by what stays.
    try await process.errors.whole()
    try await go.openForWriting().close()
    #expect(try await process.output.whole() == "b'hello\\n'\n")
    try await log.whole()
  }

  @Test func `What the command left running goes on without a network when its keeper is killed`() async throws {
    let services = try ServiceFixture()
    let program = """
      import os, select, socket
      end = select.poll()
      end.register(os.pidfd_open(os.getppid()), select.POLLIN)
      print(os.getppid(), "ready", flush=True)
      if os.fork(): os._exit(0)
      os.setsid()
      end.poll()
      try: socket.create_connection(('127.0.0.1', \(services.server.endpoint.port)))
      except OSError as error: print(error.errno)
      """
    let process = try services.launch(["python3", "-c", program])
    let keeper = try await keeper(of: process)
    #expect(try await process.status() == .exited(0))
    kill(keeper, SIGKILL)
    #expect(try await process.output.whole().hasSuffix("ready\n\(ENOSYS)\n"))
  }
}
