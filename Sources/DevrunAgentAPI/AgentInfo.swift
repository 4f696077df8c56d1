package import DevrunCore
public import DevrunSystem
public import DevrunTunnel

/// What the agent says of the container that it runs in.
public struct AgentInfo: Sendable, Hashable {
  /// The container's /etc/resolv.conf, to the letter; empty if it has none.
  public var resolvConf: String
}

extension Tunnel {
  /// The largest answer that is taken for an environment: Linux allows 2 MiB for arguments and environment by default
  /// (a quarter of the stack's limit, execve(2)), 6 MiB at most.
  private static let maximumEnvironment = 8 << 20
  private static let maximumResolvConf = 64 << 10

  /// The environment of the agent's process, which is the app's: in its order, to the byte.
  ///
  /// - Throws: a `TunnelError`.
  public func environment() async throws -> EnvironmentVariables {
    let bytes = try await document("/environment", limit: Self.maximumEnvironment, as: "the container's environment")
    return EnvironmentVariables(entries: NULSeparated.decode(bytes), origin: .container)
  }

  /// Facts about the container.
  ///
  /// - Throws: a `TunnelError`.
  public func info() async throws -> AgentInfo {
    let bytes = try await document("/resolv.conf", limit: Self.maximumResolvConf, as: "the container's resolv.conf")
    return AgentInfo(resolvConf: String(decoding: bytes, as: UTF8.self))
  }
}

/// Strings without NUL, each ended by one: as in /proc/self/environ.
package enum NULSeparated {
  package static func encode(_ strings: [RawString]) -> [UInt8] { strings.flatMap { $0.bytes + [0] } }

  package static func decode(_ bytes: [UInt8]) -> [RawString] {
    bytes.split(separator: 0).map { RawString($0) }
  }
}
