package import DevrunConfig
package import DevrunCore
package import DevrunKube

/// The container of a pod that the agent replaces, and the ports that it serves.
package struct ContainerChoice: Sendable, Hashable {
  /// The annotations of a pod that name its main container, as kubectl reads them; the newer one first.
  static let annotations = [
    "kubectl.kubernetes.io/default-container", "kubectl.kubernetes.io/default-logs-container",
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

  /// Chooses the container: the named one; else the one that serves the asked ports; else the one that the pod's
  /// annotation names; else the one that Services lead to, or the only one that is no known sidecar.
  ///
  /// A Service may lead to a sidecar that stands in front of the app, such as an OAuth proxy. The app is meant then: what
  /// the sidecar sends to the app's port arrives here.
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
    guard let chosen = try candidates(named: name, ports: ports, servicePorts: servicePorts, template).first else {
      throw .ambiguousContainer(available: containers.map(\.name))
    }
    let others = containers.filter { $0.name != chosen.name }.flatMap(declared)
    let reached = servicePorts.compactMap(\.int).filter { port in !others.contains { $0.number == port } }
    return ContainerChoice(name: chosen.name, ports: mappings(of: chosen, asked: ports, reached: reached))
  }

  /// What may be meant, the likeliest first. A way to choose that leaves several counts for nothing.
  private static func candidates(
    named name: String?, ports: [PortMapping], servicePorts: [JSONValue], _ template: KubeObject
  ) throws(WorkloadError) -> [Container] {
    let containers = template.containers
    if let name {
      guard let match = template.container(named: name) else {
        throw .noSuchContainer(name, available: containers.map(\.name))
      }
      return [match]
    }
    func serving(_ numbers: some Sequence<Int>, _ names: some Sequence<String> = []) -> [Container] {
      let (numbers, names) = (Set(numbers), Set(names))
      return containers.filter { container in
        declared(container).contains { numbers.contains($0.number) || names.contains($0.name ?? "") }
      }
    }
    let annotated = annotations.compactMap { template.annotations[$0] }.compactMap { template.container(named: $0) }
    let apps = containers.filter { !Sidecars.include($0) }
    let served = serving(servicePorts.compactMap(\.int), servicePorts.compactMap(\.string))
    let ways = [
      serving(ports.map { Int($0.remote) }), Array(annotated.prefix(1)),
      served.filter { !Sidecars.include($0) }, apps.filter { !declared($0).isEmpty }, served, apps, containers,
    ]
    return ways.filter { $0.count == 1 }.flatMap { $0 }
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
