internal import DevrunCore
package import DevrunKube

/// The ports of a pod that an agent uses for itself. The app and its neighbours use none of them.
package struct AgentPorts: Sendable, Hashable {
  /// The port of the pod's loopback where the agent expects devrun.
  package var control: UInt16
  /// The port where the agent answers probes.
  package var probe: UInt16
  /// The port that is listened on only while a tunnel is attached.
  package var ready: UInt16

  /// The given ports.
  package init(control: UInt16, probe: UInt16, ready: UInt16) {
    self.control = control
    self.probe = probe
    self.ready = ready
  }

  /// Three different ports that no container of a pod template declares.
  package static func random(avoiding template: KubeObject) -> AgentPorts {
    let containers = (template.spec["initContainers"]?.array ?? []).map(Container.init) + template.containers
    var taken = Set(containers.flatMap(\.ports).map(\.number))
    func next() -> UInt16 {
      while true {
        let port = UInt16.random(in: 20_000..<30_000)
        if taken.insert(Int(port)).inserted { return port }
      }
    }
    return AgentPorts(control: next(), probe: next(), ready: next())
  }
}
