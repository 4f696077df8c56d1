public import DevrunCore
public import DevrunSystem
public import DevrunTunnel

/// What the agent says of the container that it runs in.
public struct AgentInfo: Sendable, Hashable {
  /// The pod's host name.
  public var hostname: String
  /// The container's /etc/resolv.conf, to the letter; empty if it has none.
  public var resolvConf: String
  /// The user that the container runs as.
  public var uid: UInt32
  /// The group that the container runs as.
  public var gid: UInt32
  /// The folder that the container's command starts in.
  public var workingDirectory: RawString
  /// The protocol version that the agent speaks.
  public var protocolVersion: UInt8

  /// Facts about a container.
  public init(
    hostname: String, resolvConf: String, uid: UInt32, gid: UInt32, workingDirectory: RawString,
    protocolVersion: UInt8 = Preface.currentVersion
  ) {
    self.hostname = hostname
    self.resolvConf = resolvConf
    self.uid = uid
    self.gid = gid
    self.workingDirectory = workingDirectory
    self.protocolVersion = protocolVersion
  }
}

extension Tunnel {
  /// The largest answer that is taken for an environment: Linux allows 2 MiB for arguments and environment by default
  /// (a quarter of the stack's limit, execve(2)), 6 MiB at most.
  private static let maximumEnvironment = 8 << 20
  private static let maximumInfo = 256 << 10

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
    let name = "the facts about its container"
    let bytes = try await document("/info", limit: Self.maximumInfo, as: name)
    guard let info = AgentInfo(lines: NULSeparated.decode(bytes)) else {
      throw TunnelError.failedRequest(name, "the answer is not complete")
    }
    return info
  }
}

/// Strings without NUL, each ended by one: as in /proc/self/environ.
package enum NULSeparated {
  package static func encode(_ strings: [RawString]) -> [UInt8] { strings.flatMap { $0.bytes + [0] } }

  package static func decode(_ bytes: [UInt8]) -> [RawString] {
    bytes.split(separator: 0).map { RawString($0) }
  }
}

extension AgentInfo {
  /// The form on the wire: `NAME=VALUE`.
  package var lines: [RawString] {
    [
      RawString("hostname=\(hostname)"), RawString("resolv-conf=\(resolvConf)"), RawString("uid=\(uid)"),
      RawString("gid=\(gid)"), RawString(Array("working-directory=".utf8) + workingDirectory.bytes),
      RawString("protocol-version=\(protocolVersion)"),
    ]
  }

  /// Reads the form on the wire; `nil` if something is missing. Names that are not known are skipped.
  package init?(lines: [RawString]) {
    var values: [String: ArraySlice<UInt8>] = [:]
    for line in lines {
      guard let equals = line.bytes.firstIndex(of: UInt8(ascii: "=")) else { return nil }
      values[String(decoding: line.bytes[..<equals], as: UTF8.self)] = line.bytes[(equals + 1)...]
    }
    func text(_ name: String) -> String? { values[name].map { String(decoding: $0, as: UTF8.self) } }
    guard let hostname = text("hostname"), let resolvConf = text("resolv-conf"),
      let uid = text("uid").flatMap({ UInt32($0) }), let gid = text("gid").flatMap({ UInt32($0) }),
      let directory = values["working-directory"], let version = text("protocol-version").flatMap({ UInt8($0) })
    else { return nil }
    self.init(
      hostname: hostname, resolvConf: resolvConf, uid: uid, gid: gid, workingDirectory: RawString(directory),
      protocolVersion: version)
  }
}
