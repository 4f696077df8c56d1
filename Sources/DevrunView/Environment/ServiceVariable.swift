package import DevrunCore

/// The variables in which Kubernetes lists services for containers
/// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables): nothing secret.
package enum ServiceVariable {
  /// What the names of a service's variables begin with: `-` becomes `_`, upper case.
  static func prefix(of service: String) -> [UInt8] {
    service.utf8.map { byte in
      switch byte {
      case UInt8(ascii: "-"): UInt8(ascii: "_")
      case UInt8(ascii: "a")...UInt8(ascii: "z"): byte - 32
      default: byte
      }
    }
  }

  /// The places at which a name can be cut into a service's prefix and what follows it.
  ///
  /// A service's own name may look like the end of a variable's. So a name can have several cuts, but only a few: the
  /// work for all variables of all services grows with their number alone.
  static func cuts(of name: [UInt8]) -> [Int] {
    name.indices.filter { index in
      name[index] == UInt8(ascii: "_") && (name[index...].starts(with: port) || name[index...].starts(with: service))
    }
  }

  static let port = Array("_PORT".utf8)
  static let host = Array("_SERVICE_HOST".utf8)
  private static let service = Array("_SERVICE_".utf8)

  /// Whether a text is what such a variable can hold: an address, a port, a protocol, or all three as a URL.
  package static func isAddress(_ text: String) -> Bool {
    // Most values are neither; a look at the first byte is cheaper than the parsers.
    guard let first = text.utf8.first else { return false }
    switch first {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): return UInt16(text) != nil || IPAddress(text) != nil
    case UInt8(ascii: "t"), UInt8(ascii: "u"), UInt8(ascii: "s"):
      if ["tcp", "udp", "sctp"].contains(text) { return true }
      if let match = text.wholeMatch(of: /(tcp|udp|sctp):\/\/\[?([0-9a-f.:]+?)\]?:[0-9]+/) {
        return IPAddress(String(match.2)) != nil
      }
      return false
    default: return text.utf8.contains(UInt8(ascii: ":")) && IPAddress(text) != nil
    }
  }
}

/// The services of a session by their variables.
package struct ServiceVariables: Sendable {
  private let prefixes: Set<[UInt8]>

  /// The variables of services of the given names.
  package init(of services: some Sequence<String>) { prefixes = Set(services.map(ServiceVariable.prefix)) }

  /// Whether a variable is one of those of the services, by its name and by its value.
  package func contains(name: RawString, value: RawString) -> Bool {
    let cuts = ServiceVariable.cuts(of: name.bytes)
    return !cuts.isEmpty
      && cuts.contains { cut in
        prefixes.contains(Array(name.bytes[..<cut]))
          && Self.isEnd(String(decoding: name.bytes[cut...], as: UTF8.self))
      } && ServiceVariable.isAddress(value.description)
  }

  private static func isEnd(_ end: String) -> Bool {
    end == "_SERVICE_HOST" || end == "_SERVICE_PORT" || end.hasPrefix("_SERVICE_PORT_") || end == "_PORT"
      || end.wholeMatch(of: /_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?/) != nil
  }
}
