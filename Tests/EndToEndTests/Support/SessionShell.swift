import DevrunPlan
import DevrunSystem
import Foundation
import Synchronization
import TestSupport
import Testing

/// One session, used as a person uses it: `devrun ... -- sh`, and commands typed into that shell.
final class SessionShell: Sendable {
  /// The session of the running suite.
  @TaskLocal static var current: SessionShell?

  /// What a command wrote to both its outputs, and its exit status.
  struct Reply: Sendable, Equatable, CustomStringConvertible {
    var text: String
    var status: Int32

    var description: String { "status \(status): \(text)" }
  }

  let process: TestProcess
  private let commands = Mutex(0)

  /// Connects and returns when the shell answers.
  init(
    _ cluster: Cluster, _ arguments: [String], as account: Account? = nil, environment: EnvironmentVariables = [:],
    directory: String? = nil
  ) async throws {
    process = try cluster.start(
      arguments + ["--", "sh"], as: account, environment: environment, directory: directory)
    do {
      _ = try await self("true", within: .seconds(60))
    } catch {
      await process.stop()
      throw error
    }
  }

  /// Runs a command of the shell.
  func callAsFunction(_ command: String, within limit: Duration = .seconds(60)) async throws -> Reply {
    let number = commands.withLock { number in
      number += 1
      return number
    }
    let (begin, end) = ("<\(number)<", ">\(number)>")
    try process.write("printf '%s' '\(begin)'; { \(command)\n} </dev/null 2>&1; printf '%s%d;' '\(end)' $?\n")
    // The status follows in the same write, which a pipe keeps whole.
    try await process.output.wait(for: end, within: limit)
    let text = process.output.text
    guard let from = text.range(of: begin), let to = text.range(of: end, range: from.upperBound..<text.endIndex),
      let status = Int32(text[to.upperBound...].prefix { $0 != ";" })
    else { throw TestFailure("the shell's answer is not understood: \(text)") }
    return Reply(text: String(text[from.upperBound..<to.lowerBound]), status: status)
  }

  /// Runs a command that must succeed and returns what it wrote, without the last line's end.
  func output(_ command: String, within limit: Duration = .seconds(60)) async throws -> String {
    let reply = try await self(command, within: limit)
    guard reply.status == 0 else { throw TestFailure("\(command): \(reply)") }
    return reply.text.hasSuffix("\n") ? String(reply.text.dropLast()) : reply.text
  }

  /// Starts one of the local servers of `fixtures/cluster`, which print their process id once they listen.
  func serving(_ server: String, _ body: () async throws -> Void) async throws {
    let id = try await output("python3 \(Cluster.shared.fixtures)/\(server)")
    do {
      try await body()
      _ = try await output("kill \(id)")
    } catch {
      _ = try await self("kill \(id)")
      throw error
    }
  }

  /// Waits until a service of the cluster passes each connection on to a server behind this session.
  ///
  /// - Parameter port: where such a server listens.
  func isServed(by service: String, at port: Int) async throws {
    let cluster = Cluster.shared
    try await serving("web.py 127.0.0.1 \(port) \(cluster.user.work)/requests") {
      try await cluster.serves("wget -qO- http://\(service)/", "the app on this machine")
    }
  }

  /// Leaves the shell and awaits the end of the session.
  @discardableResult
  func exit(_ status: Int32 = 0) async throws -> Outcome {
    try process.write("exit \(status)\n")
    return try await process.outcome(within: .seconds(60))
  }
}

/// Gives a suite one session, in whose shell its tests run their commands; checks that it leaves no trace.
struct SessionTrait: SuiteTrait, TestScoping {
  /// Objects that the session needs, a manifest of `fixtures/cluster`.
  var manifest: String?
  /// What the user's shell has in its environment beyond the usual.
  var environment: EnvironmentVariables
  /// Whether the tests leave the namespace's objects alone, so that they can be compared.
  var comparesObjects = true
  /// What must be so before the first test.
  var preparation: @Sendable (Cluster, SessionShell) async throws -> Void
  /// devrun's options.
  var arguments: @Sendable (Cluster) -> [String]

  func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    let cluster = Cluster.shared
    guard let manifest else { return try await session(cluster, function) }
    try await cluster.with(manifest: manifest) { try await session(cluster, function) }
  }

  private func session(_ cluster: Cluster, _ function: @Sendable () async throws -> Void) async throws {
    guard comparesObjects else {
      try await cluster.kubectl.settled()
      return try await use(cluster, function)
    }
    try await cluster.leavingNoTrace { try await use(cluster, function) }
  }

  private func use(_ cluster: Cluster, _ function: @Sendable () async throws -> Void) async throws {
    let shell = try await SessionShell(cluster, arguments(cluster), environment: environment)
    do {
      try await preparation(cluster, shell)
      try await SessionShell.$current.withValue(shell) { try await function() }
    } catch {
      try await shell.exit()
      throw error
    }
    let outcome = try await shell.exit(3)
    #expect(outcome.status == .exited(3), "\(outcome)")
  }
}

extension Trait where Self == SessionTrait {
  /// One session for all tests of a suite.
  static func session(
    manifest: String? = nil, environment: EnvironmentVariables = [:], comparesObjects: Bool = true,
    preparation: @escaping @Sendable (Cluster, SessionShell) async throws -> Void = { _, _ in },
    _ arguments: @escaping @Sendable (Cluster) -> [String]
  ) -> Self {
    SessionTrait(
      manifest: manifest, environment: environment, comparesObjects: comparesObjects, preparation: preparation,
      arguments: arguments)
  }
}

extension SessionShell {
  /// The session of the running suite.
  static var shared: SessionShell {
    guard let current else { fatalError("a suite asks for a session and has no trait `.session`") }
    return current
  }
}
