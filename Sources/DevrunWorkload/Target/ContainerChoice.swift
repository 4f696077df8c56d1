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

  /// Chooses the container of a workload, and its ports.
  ///
  /// - Parameters:
  ///   - name: the container that the user named.
  ///   - ports: the ports that the user named.
  ///   - workload: the workload, with the ports of the Services that lead to it.
  /// - Throws: `WorkloadError.noSuchContainer`, `.ambiguousContainer`, `.portTwice`
  package static func choose(
    named name: String?, ports: [PortMapping], in workload: Workload
  ) throws(WorkloadError) -> ContainerChoice {
    let container = try choose(
      named: name, ports: ports, servicePorts: workload.namingPorts, template: workload.template)
    return try choose(
      named: container.name, ports: ports, servicePorts: workload.servicePorts, template: workload.template)
  }

  /// Chooses the container: the named one; else the one that serves the ports; else the only one that is no known
  /// sidecar.
  ///
  /// - Parameters:
  ///   - name: the container that the user named.
  ///   - ports: the ports that the user named.
  ///   - servicePorts: the target ports of Services that lead to the workload.
  ///   - template: the pod, or its template.
  /// - Throws: `WorkloadError.noSuchContainer`, `.ambiguousContainer`, `.portTwice`
  package static func choose(
    named name: String?, ports: [PortMapping], servicePorts: [JSONValue], template: KubeObject
  ) throws(WorkloadError) -> ContainerChoice {
    var seen: Set<UInt16> = []
    if let twice = ports.first(where: { !seen.insert($0.remote).inserted }) { throw .portTwice(twice.remote) }
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
    let others = containers.filter { $0.name != chosen.name }.flatMap(declared)
    let reached = servicePorts.compactMap(\.int).filter { port in !others.contains { $0.number == port } }
    return ContainerChoice(name: chosen.name, ports: mappings(of: chosen, asked: ports, reached: reached))
  }

  /// The asked ports; else those that the container declares, and those that Services reach in it. A port that Services name
  /// is declared.
  private static func mappings(of container: Container, asked: [PortMapping], reached: [Int]) -> [PortMapping] {
    if !asked.isEmpty { return asked }
    let numbers = declared(container).map(\.number) + reached
    var seen: Set<Int> = []
    return numbers.filter { seen.insert($0).inserted }.compactMap { UInt16(exactly: $0) }
      .map { PortMapping(remote: $0, local: $0) }
  }

  /// The TCP ports that a container declares.
  private static func declared(_ container: Container) -> [Container.Port] {
    container.ports.filter { $0.transport == "TCP" }
  }
}
