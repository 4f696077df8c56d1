internal import DevrunConfig
internal import DevrunAgentAPI
internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload

extension StartedPod {
  /// The first port that every program may listen on, by default.
  private static let unprivileged = 1024

  /// The target's ports on which the agent may not listen in the container.
  ///
  /// The session's pod runs as the target's pods do, so what its agent may not do theirs may not either.
  ///
  /// - Throws: as `withTunnel`
  func forbiddenPorts(_ context: SessionContext) async throws -> [UInt16] {
    let ports = target.choice.ports.map(\.remote).filter { $0 < Self.unprivileged }
    if ports.isEmpty { return [] }
    return try await withTunnel(context) { tunnel in try await tunnel.forbiddenPorts(among: ports) }
  }

  /// Makes sure, before the command starts, that the agent can stand in for the app.
  ///
  /// - Throws: `SessionError.portsForbidden`; as `withTunnel`
  func checkPorts(_ context: SessionContext) async throws {
    let forbidden = try await forbiddenPorts(context)
    if !forbidden.isEmpty { throw SessionError.portsForbidden(forbidden, leavesTraffic: false) }
  }
}
