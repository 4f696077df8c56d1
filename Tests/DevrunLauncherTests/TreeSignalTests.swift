import DevrunCore
import DevrunPlan
import DevrunSystem
import Foundation
import Glibc
import TestSupport
import Testing
import devrun_launch

@testable import DevrunLauncher

@Suite("Signals to several of a run's processes", .sharingTheMachine)
struct TreeSignalTests {
  /// A command that prints each signal that it gets, and the ids of itself and of the keeper.
  private static let counter = [
    "python3", "-uc",
    SignalWatch.python + """
      counts = {}
      def count(number):
        counts[number] = counts.get(number, 0) + 1
        os.write(1, b"<%d %d>" % (number, counts[number]))
      on_signals([signal.SIGTERM, signal.SIGHUP], count)
      print(os.getpid(), os.getppid(), "ready")
      sys.stdin.read()
      os._exit(9)
      """,
  ]

  /// A run of the command, with its processes.
  private struct Run {
    let process: TestProcess
    let command: pid_t
    let keeper: pid_t

    init() async throws {
      process = try LaunchFixture().launch(TreeSignalTests.counter)
      try await process.output.wait(for: "ready\n")
      let ids = process.output.text.split(separator: " ").compactMap { pid_t($0) }
      (command, keeper) = (try #require(ids.first), try #require(ids.dropFirst().first))
    }

    /// The front's own child: not the keeper.
    var witness: pid_t {
      get throws {
        let list = try Descriptor.open(RawString("/proc/\(process.id)/task/\(process.id)/children"), O_RDONLY)
        let children = String(decoding: try list.readToEnd(), as: UTF8.self).split(separator: " ")
        return try #require(children.compactMap { pid_t($0) }.first { $0 != keeper })
      }
    }

    /// How often the command has got SIGTERM, once all that was sent before has arrived.
    func terminations() async throws -> Int {
      // The keeper passes on what came to it alone, in order, when it is certain of that.
      kill(keeper, SIGHUP)
      try await process.output.wait(for: "<\(SIGHUP) 1>")
      process.closeInput()
      #expect(try await process.status() == .exited(9))
      return try await process.output.whole().split(separator: "<").count { $0.hasPrefix("\(SIGTERM) ") }
    }
  }

  @Test func `A signal to each process named devrun reaches the command once`() async throws {
    let run = try await Run()
    for process in [run.process.id, run.keeper] { kill(process, SIGTERM) }
    #expect(try await run.terminations() == 1)
  }

  @Test func `A signal to the keeper alone reaches the command once`() async throws {
    let run = try await Run()
    kill(run.keeper, SIGTERM)
    #expect(try await run.terminations() == 1)
  }

  /// Signals processes as systemd does, and stays as it does.
  private func serviceManager(_ processes: [pid_t]) throws -> TestProcess {
    try TestProcess(
      [
        "python3", "-c",
        """
        import os, signal, sys
        open('/proc/self/comm', 'w').write('systemd')
        for number in signal.SIGTERM, signal.SIGCONT:
          for process in sys.argv[1:]: os.kill(int(process), number)
        sys.stdin.read()
        """,
      ] + processes.map(String.init))
  }

  @Test func `A service manager's signal to each process of the run reaches the command once`() async throws {
    let run = try await Run()
    let manager = try serviceManager([run.process.id, run.keeper, run.witness, run.command])
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
    manager.closeInput()
    #expect(try await manager.status() == .exited(0))
  }

  @Test func `A service manager's signal to devrun alone reaches the command once`() async throws {
    let run = try await Run()
    let manager = try serviceManager([run.process.id])
    try await run.process.output.wait(for: "<\(SIGTERM) 1>")
    #expect(try await run.terminations() == 1)
    manager.closeInput()
    #expect(try await manager.status() == .exited(0))
  }
}
