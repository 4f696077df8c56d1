internal import DevrunCore

/// The variables in which Kubernetes lists services for containers
/// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables): nothing secret.
package enum ServiceVariable {
  /// Whether a variable is one of those of a service of the given names, by its name and by its value.
  package static func matches(name: String, value: String, services: some Sequence<String>) -> Bool {
    guard isAddress(value) else { return false }
    return services.contains { service in
      let prefix = ServiceAddress(name: service, clusterIP: "", local: "").prefix
      guard name.hasPrefix(prefix) else { return false }
      let rest = name.dropFirst(prefix.count)
      return rest == "_SERVICE_HOST" || rest == "_SERVICE_PORT" || rest.hasPrefix("_SERVICE_PORT_") || rest == "_PORT"
        || rest.wholeMatch(of: /_PORT_[0-9]+_(TCP|UDP|SCTP)(_PROTO|_PORT|_ADDR)?/) != nil
    }
  }

  /// Whether a text is what such a variable can hold: an address, a port, a protocol, or all three as a URL.
  package static func isAddress(_ text: String) -> Bool {
    if UInt16(text) != nil || IPAddress(text) != nil || ["tcp", "udp", "sctp"].contains(text) { return true }
    guard let match = text.wholeMatch(of: /(tcp|udp|sctp):\/\/\[?([0-9a-f.:]+?)\]?:[0-9]+/) else { return false }
    return IPAddress(String(match.2)) != nil
  }
}
