import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Waiting for descendants", .sharingTheMachine)
struct WaitingTests {
  /// A command that exits with 3 and leaves a daemon in a session of its own, which waits for words.
  ///
  /// - Parameter words: a FIFO, from which the daemon gets a process id and then an end.
  private func daemon(_ words: String) -> [String] {
    [
      "python3", "-uc",
      """
      import os, socket, sys
      if os.fork(): os._exit(3)
      os.setsid()
      if os.fork(): os._exit(0)
      with open(sys.argv[1]) as words:
        process = int(words.readline())
        print("waited for:", os.path.exists(f"/proc/{process}"))
        try: print("service:", socket.create_connection(("127.201.0.1", 80)).recv(5).decode())
        except OSError as error: print("service:", error)
        words.readline()
        print("daemon ends")
      """, words,
    ]
  }

  /// Starts the daemon's launch, and returns when the child has ended.
  private func start(
    _ fixture: LaunchFixture, service: GreetingServer
  ) async throws -> (process: TestProcess, log: Transcript, words: Descriptor) {
    let fifo = try Fifo(fixture.path("words"))
    let log = try Transcript(of: Fifo(fixture.path("log")))
    let process = try fixture.launch(daemon(fifo.path)) {
      $0.waitsForDescendants = true
      $0.routes = [.init("127.201.0.1/32", acceptor: service.endpoint)]
      $0.log = fixture.path("log")
    }
    let words = try await fifo.openForWriting()
    try await log.wait(for: "child ended\n")
    return (process, log, words)
  }

  @Test func `devrun waits for the last descendant and then exits with the command's status`() async throws {
    let service = try GreetingServer()
    defer { service.stop() }
    let (process, log, words) = try await start(LaunchFixture(), service: service)
    try words.writeAll("\(process.id)\n".utf8)
    try await process.output.wait(for: "service: hello\n")
    #expect(process.output.text.hasPrefix("waited for: True\n"))
    #expect(!log.text.contains("\nended"))
    try words.writeAll("end\n".utf8)
    #expect(try await process.status() == .exited(3))
    #expect(try await process.output.whole().hasSuffix("daemon ends\n"))
    #expect(try await log.whole().hasSuffix("child ended\nended\n"))
  }

  @Test func `A process that the command leaves running is named at the end of the session`() async throws {
    let fixture = try LaunchFixture()
    let log = try Transcript(of: Fifo(fixture.path("log")))
    // Popen returns once the other program has taken the child's place: before, the child is a second python3.
    let script = "import subprocess; print(subprocess.Popen(['sleep', '1000'], stdout=subprocess.DEVNULL).pid)"
    let command = ["python3", "-c", script]
    let process = try fixture.launch(command) { $0.log = fixture.path("log") }
    try await process.output.wait(for: "\n")
    let left = try #require(pid_t(process.output.text.dropLast()))
    defer { _ = kill(left, SIGKILL) }
    try await log.wait(for: "\nended\n")
    #expect(log.text.hasSuffix("left sleep (pid \(left))\nended\n"))
  }

  @Test(arguments: [SIGTERM, SIGINT, SIGHUP])
  func `A signal ends the wait for descendants and does not reach them`(signal: Int32) async throws {
    let service = try GreetingServer()
    defer { service.stop() }
    let (process, log, words) = try await start(LaunchFixture(), service: service)
    process.signal(signal)
    #expect(try await process.status() == .exited(3))
    try await log.wait(for: "\nended\n")
    try words.writeAll("\(process.id)\nend\n".utf8)
    #expect(try await process.output.whole().hasSuffix("daemon ends\n"))
    #expect(process.output.text.hasPrefix("waited for: False\nservice: "))
    #expect(!process.output.text.contains("hello"))
  }

  @Test func `devrun ends at once if the command leaves no descendants`() async throws {
    let outcome = try await LaunchFixture().run(["sh", "-c", "true & wait; exit 4"]) { $0.waitsForDescendants = true }
    #expect(outcome.status == .exited(4) && outcome.errors == "")
  }
}
