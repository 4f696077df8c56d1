public import DevrunCore

/// A port of the target and the local port that its connections are brought to.
public struct PortMapping: Sendable, Hashable, CustomStringConvertible {
  /// The port in the cluster.
  public var remote: UInt16
  /// The port on this machine.
  public var local: UInt16

  /// A mapping of one port to another; by default to the same number.
  public init(remote: UInt16, local: UInt16? = nil) {
    self.remote = remote
    self.local = local ?? remote
  }

  /// Reads `REMOTE` or `REMOTE:LOCAL`.
  ///
  /// - Throws: `PortMappingError`.
  public init(parsing text: String) throws(PortMappingError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count <= 2 else { throw .malformed(text) }
    let ports = try parts.map { part throws(PortMappingError) in
      guard !part.isEmpty, part.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
        throw .malformed(text)
      }
      guard let port = UInt16(part), port > 0 else { throw .outOfRange(text, port: String(part)) }
      return port
    }
    self.init(remote: ports[0], local: ports.last)
  }

  /// Refuses a list in which one remote port leads to two local ones.
  ///
  /// - Returns: the list, each mapping once.
  /// - Throws: `PortMappingError.ambiguous`
  public static func unambiguous(_ mappings: [PortMapping]) throws(PortMappingError) -> [PortMapping] {
    try once(mappings, by: \.remote) { .ambiguous($1.remote, $0.local, $1.local) }
  }

  /// Each mapping once.
  ///
  /// - Parameters:
  ///   - mappings: the mappings.
  ///   - port: the port that no two different mappings may share.
  ///   - conflict: the error of two that share it.
  static func once(
    _ mappings: [PortMapping], by port: (PortMapping) -> UInt16,
    conflict: (PortMapping, PortMapping) -> PortMappingError
  ) throws(PortMappingError) -> [PortMapping] {
    var known: [UInt16: PortMapping] = [:]
    var result: [PortMapping] = []
    for mapping in mappings {
      guard let earlier = known.updateValue(mapping, forKey: port(mapping)) else {
        result.append(mapping)
        continue
      }
      guard (earlier.remote, earlier.local) == (mapping.remote, mapping.local) else { throw conflict(earlier, mapping) }
    }
    return result
  }

  /// `REMOTE:LOCAL`, or one number where both are the same.
  public var description: String { remote == local ? "\(remote)" : "\(remote):\(local)" }
}

/// Why a text is no port mapping.
public enum PortMappingError: UserFacingError, Hashable {
  /// It is neither a number nor two numbers with a colon between.
  case malformed(String)
  /// One of its numbers is no port.
  case outOfRange(String, port: String)
  /// One remote port is to lead to two local ones.
  case ambiguous(UInt16, UInt16, UInt16)
  /// One local port is to stand for two ports of the pod.
  case localTwice(UInt16, UInt16, UInt16)
  /// A local port is to stand for a port of the pod, and is one on which the command is expected to listen.
  case localOfCommand(PortMapping, redirected: PortMapping)

  /// The error in words.
  public var message: ErrorMessage {
    switch self {
    case .malformed(let text):
      ErrorMessage("'\(text)' is no port", remedy: "write REMOTE or REMOTE:LOCAL, such as 8080 or 80:8080")
    case .outOfRange(let text, let port):
      ErrorMessage("'\(text)': \(port) is no port", remedy: "ports are numbers from 1 to 65535")
    case .ambiguous(let remote, let first, let second):
      ErrorMessage(
        "port \(remote) cannot lead to both \(first) and \(second) here", remedy: "name each remote port once")
    case .localTwice(let local, let first, let second):
      ErrorMessage(
        "port \(local) here cannot stand for both \(first) and \(second) of the pod",
        remedy: "give one of them another local port: --pod-port \(second):LOCAL")
    case .localOfCommand(let port, let redirected):
      ErrorMessage(
        "port \(port.local) here cannot stand for port \(port.remote) on the pod's localhost",
        why:
          "the command is expected to listen on it: connections to the target's port \(redirected.remote) come there",
        remedy: "give one of them another local port: --pod-port \(port.remote):LOCAL")
    }
  }

  /// A mistake of the command line or of devrun.yaml.
  public var exitStatus: ExitStatus { .usage }
}
