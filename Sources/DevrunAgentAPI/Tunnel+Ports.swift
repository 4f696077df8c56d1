internal import DevrunCore
public import DevrunTunnel

extension Tunnel {
  private static let maximumPorts = 64 << 10

  /// The ports on which the container's user may not listen, as the agent finds out by trying.
  ///
  /// - Parameter ports: the ports to try.
  /// - Throws: a `TunnelError`.
  public func forbiddenPorts(among ports: [UInt16]) async throws -> [UInt16] {
    let answer = try await document(
      "/ports/forbidden", query: ["ports": PortList.encode(ports)], limit: Self.maximumPorts,
      as: "the ports that the container may listen on")
    return PortList.decode(answer).filter(ports.contains)
  }
}

/// Ports on the wire: numbers with commas between them.
package enum PortList {
  package static func encode(_ ports: [UInt16]) -> [UInt8] {
    Array(ports.map(String.init).joined(separator: ",").utf8)
  }

  package static func decode(_ bytes: [UInt8]) -> [UInt16] {
    bytes.split(separator: UInt8(ascii: ",")).compactMap { UInt16(String(decoding: $0, as: UTF8.self)) }
  }
}
