import DevrunAgentAPI
import DevrunPlan
import Foundation
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunTunnel

/// The agent as another user's process, in the place of an app that has a capability of its own.
@Suite("Ports that the agent may not listen on", .timeLimit(.minutes(1))) struct ForbiddenPortsTests {
  /// An ordinary user, where root runs the tests.
  private static let user = TestUser.available.last ?? .own
  private static let arePortsKept: Bool = {
    let path = "/proc/sys/net/ipv4/ip_unprivileged_port_start"
    guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return false }
    return Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 1
  }()

  /// Starts an agent.
  private func agent(_ options: [String], control: Int, keeping folder: TemporaryFolder) throws -> TestProcess {
    let built = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let program = built.appendingPathComponent("devrun-agent").path
    try #require(access(program, X_OK) == 0, "the agent is not beside the tests: \(program)")
    let digest = SecretDigest(of: TunnelFixture.secret).hexadecimal
    return try TestProcess(
      Self.user.command([program, "--control-port", "\(control)", "--secret-sha256", digest] + options),
      keeping: folder)
  }

  @Test(.enabled(if: arePortsKept, "this machine keeps no port for root"))
  func `An agent goes without an optional port that is forbidden, and names it`() async throws {
    let port = try freePort()
    let folder = try TemporaryFolder()
    let process = try agent(["--optional-port", "1"], control: port, keeping: folder)
    try await process.errors.wait(for: "ready for devrun")
    try await TunnelFixture.run { fixture in
      try await fixture.withTunnel(via: SocketAddress(ipAddress: "127.0.0.1", port: port)) { tunnel in
        let forbidden = try await tunnel.forbiddenPorts(among: [1, UInt16(port), 65_000])
        #expect(forbidden == [1])
      }
    }
    process.signal(SIGTERM)
    #expect(try await process.status() == .exited(0))
  }

  @Test(.enabled(if: arePortsKept, "this machine keeps no port for root"))
  func `An agent ends with the status of a forbidden port that it needs`() async throws {
    let port = try freePort()
    let process = try agent(["--port", "1"], control: port, keeping: try TemporaryFolder())
    #expect(try await process.status() == .exited(66))
  }
}
