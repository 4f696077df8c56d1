import DevrunCore
import DevrunPlan
import Glibc
import TestSupport
import devrun_launch

@testable import DevrunLauncher

/// What a child finds that was launched into a session: services that answer, refuse, or do neither.
///
/// | name     | address     |                                                   |
/// |----------|-------------|---------------------------------------------------|
/// | myapp1   | 127.201.0.1 | answers                                           |
/// | refused  | 127.201.0.2 | refuses                                           |
/// | slow     | 127.201.0.3 | refuses after a while                             |
/// | silent   | 127.201.0.4 | neither answers nor refuses, ever                 |
/// |          | 10.96.0.0/12, fd00:1234::/32 | networks of the cluster, which answer |
final class ServiceFixture: Sendable {
  let launches: LaunchFixture
  let server: GreetingServer

  /// Starts the services.
  ///
  /// - Parameter http: whether those that answer speak HTTP.
  init(http: Bool = false) throws {
    server = try GreetingServer(http: http)
    launches = try LaunchFixture()
    try launches.write(
      "hosts",
      "127.0.0.1 localhost\n127.201.0.1 myapp1\n127.201.0.2 refused\n127.201.0.3 slow\n127.201.0.4 silent\n")
  }

  deinit { server.stop() }

  /// The routes to the services.
  var routes: [LaunchScript.Route] {
    [
      .init("127.201.0.1/32", acceptor: server.endpoint),
      .init("127.201.0.2/32", errno: ECONNREFUSED),
      .init("127.201.0.3/32", acceptor: server.endpoint, errno: ECONNREFUSED, delayMilliseconds: 1_500),
      .init("127.201.0.4/32", acceptor: server.endpoint, errno: nil),
      .init("10.96.0.0/12", acceptor: server.endpoint, delayMilliseconds: 20),
      .init("fd00:1234::/32", acceptor: server.endpoint),
    ]
  }

  /// Starts a command among them.
  ///
  /// - Parameter change: what else the script of the launch says.
  func launch(
    _ command: [String], as user: TestUser = .own, _ change: (inout LaunchScript) -> Void = { _ in }
  ) throws -> TestProcess {
    try launches.launch(command, as: user) { script in
      prepare(&script)
      change(&script)
    }
  }

  private func prepare(_ script: inout LaunchScript) {
    script.routes = routes
    script.plan.hostsFile = RawString(launches.path("hosts"))
  }

  /// Runs a command among them to its end.
  func run(
    _ command: [String], as user: TestUser = .own, _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    try await launch(command, as: user, change).outcome()
  }

  /// Runs a command among them to its end, by a devrun that is at a certain place.
  func run(
    _ command: [String], as user: TestUser = .own, in surroundings: Surroundings,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    guard let calls = surroundings.forbiddenCalls else { return try await run(command, as: user, change) }
    let forbid = try await launches.compile("forbid", CallFilter.program)
    var script = LaunchScript(plan: try LaunchFixture.plan(command))
    prepare(&script)
    change(&script)
    // Forbidden to the launch alone: not to what makes the user.
    let line = try launches.commandLine(script)
    return try await TestProcess(user.command([forbid, calls] + line), keeping: self).outcome()
  }

  /// Runs a program of Python among them to its end.
  func python(
    _ program: String, as user: TestUser = .own, in surroundings: Surroundings = .machine,
    _ change: (inout LaunchScript) -> Void = { _ in }
  ) async throws -> Outcome {
    try await run(["python3", "-c", program], as: user, in: surroundings, change)
  }
}

/// Where devrun itself runs.
enum Surroundings: Sendable, CaseIterable {
  /// On a machine that forbids nothing.
  case machine
  /// In a container whose seccomp profile is Docker's: what it refuses without further capabilities is refused here as well.
  case container
  /// In one whose profile is older, and does not know `pidfd_open`.
  case oldContainer

  /// Those that can be played on this machine: the numbers of calls are x86-64's.
  static var available: [Surroundings] { is64BitX86 ? [.machine, .container] : [.machine] }

  /// As `CallFilter` takes them.
  var forbiddenCalls: String? {
    switch self {
    case .machine: nil
    case .container: CallFilter.container
    case .oldContainer: CallFilter.container + ",434:38"
    }
  }
}
