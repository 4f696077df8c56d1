package import DevrunConfig
package import DevrunCore
package import DevrunKube

/// The container of a pod that the agent replaces, and the ports that it serves.
package struct ContainerChoice: Sendable, Hashable {
  /// Containers that stand beside apps and are hardly ever the app.
  static let sidecars: Set<String> = [
    "istio-proxy", "linkerd-proxy", "devspaces-proxy", "nginx-proxy", "jaeger-agent", "daprd",
  ]

  /// The container's name.
  package var name: String
  /// What is redirected.
  package var ports: [PortMapping]

  /// A choice that is made already.
  package init(name: String, ports: [PortMapping]) {
    self.name = name
    self.ports = ports
  }

  /// Chooses the container: the named one; else the one that serves the ports; else the only one that is no known
  /// sidecar.
  ///
  /// - Parameters:
  ///   - name: the container that the user named.
  ///   - ports: the ports that the user named.
  ///   - servicePorts: the target ports of the Service that named the workload.
  ///   - template: the pod, or its template.
  /// - Throws: `WorkloadError.noSuchContainer`, `.ambiguousContainer`
  package static func choose(
    named name: String?, ports: [PortMapping], servicePorts: [JSONValue], template: KubeObject
  ) throws(WorkloadError) -> ContainerChoice {
    let containers = template.containers
    let wanted = Set(ports.map { Int($0.remote) } + servicePorts.compactMap(\.int))
    let wantedNames = Set(servicePorts.compactMap(\.string))

    let chosen: Container
    if let name {
      guard let match = template.container(named: name) else {
        throw .noSuchContainer(name, available: containers.map(\.name))
      }
      chosen = match
    } else {
      let serving = containers.filter { container in
        declared(container).contains { wanted.contains($0.number) || wantedNames.contains($0.name ?? "") }
      }
      let apps = containers.filter { !sidecars.contains($0.name) }
      let declaring = apps.filter { !declared($0).isEmpty }
      guard let match = [serving, apps, declaring].first(where: { $0.count == 1 })?.first else {
        throw .ambiguousContainer(available: containers.map(\.name))
      }
      chosen = match
    }
    return ContainerChoice(
      name: chosen.name, ports: mappings(of: chosen, asked: ports, servicePorts: servicePorts))
  }

  /// The asked ports; else those that the container declares, and those that the Service leads to.
  private static func mappings(
    of container: Container, asked: [PortMapping], servicePorts: [JSONValue]
  ) -> [PortMapping] {
    if !asked.isEmpty { return asked }
    let numbers = declared(container).map(\.number) + servicePorts.compactMap(\.int)
    var seen: Set<Int> = []
    return numbers.filter { seen.insert($0).inserted }.compactMap { UInt16(exactly: $0) }
      .map { PortMapping(remote: $0, local: $0) }
  }

  /// The TCP ports that a container declares.
  private static func declared(_ container: Container) -> [Container.Port] {
    container.ports.filter { $0.transport == "TCP" }
  }
}
