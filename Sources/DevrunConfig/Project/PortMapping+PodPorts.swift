// Here a mapping means a port on the localhost of the target's pods, and the local port by which the command reaches it.

extension PortMapping {
  /// Refuses a list in which one local port stands for two ports of the pod.
  ///
  /// - Returns: the list, each mapping once.
  /// - Throws: `PortMappingError.localTwice`
  public static func podPorts(_ mappings: [PortMapping]) throws(PortMappingError) -> [PortMapping] {
    try once(mappings, by: \.local) { .localTwice($1.local, $0.remote, $1.remote) }
  }

  /// Refuses local ports that stand for ports of the pod and are also those to which the target's traffic is brought.
  ///
  /// - Throws: `PortMappingError.localOfCommand`
  public static func check(podPorts: [PortMapping], beside redirected: [PortMapping]) throws(PortMappingError) {
    for port in podPorts {
      guard let other = redirected.first(where: { $0.local == port.local }) else { continue }
      throw .localOfCommand(port, redirected: other)
    }
  }
}

extension LocalEnvFile {
  /// The ports on the pod's own localhost that the file asks for, each once, to the same local ports.
  public var podPorts: [PortMapping] {
    var seen: Set<UInt16> = []
    return endpointReferences.filter(\.isOfPod).flatMap(\.ports).filter { seen.insert($0).inserted }
      .map { PortMapping(remote: $0) }
  }
}

extension LocalEnvFile.EndpointReference {
  /// Whether the host is the pod's own localhost.
  public var isOfPod: Bool { LocalhostName.matches(host) }
}
