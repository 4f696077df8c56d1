internal import ArgumentParser
internal import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
internal import DevrunSession

/// The options that let the command reach what only pods reach: the localhost of the target's pods, and hosts that are no
/// services.
struct PodPlaceOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      """
      A port on the localhost of the target's pods (a sidecar's, say), which the command reaches at its own localhost; \
      repeatable.
      """, valueName: "remote[:local]"))
  var podPort: [String] = []

  @Option(
    help: ArgumentHelp(
      """
      A host or network that the command reaches from the session pod's place; repeatable. ${env.NAME} in it stands for \
      a variable of the container.
      """, valueName: "host|cidr[:ports]"))
  var viaPod: [String] = []

  /// Adds what these options and the files ask for.
  ///
  /// - Returns: warnings on what does not count.
  /// - Throws: `PortMappingError`, `ViaPodError`, `UsageError`
  func apply(to options: inout SessionOptions, _ project: ProjectFile) throws -> [String] {
    options.viaPod = viaPod.isEmpty ? project.viaPod : try viaPod.map(ViaPodText.init(parsing:))
    let named = try podPort.map(PortMapping.init(parsing:))
    let ports = try PortMapping.podPorts((named.isEmpty ? project.podPorts : named) + options.localEnv.podPorts)
    guard case .newPod = options.target else {
      options.podPorts = ports
      if options.takeOver != .never { try PortMapping.check(podPorts: ports, beside: options.ports) }
      return []
    }
    guard named.isEmpty else { throw UsageError.podPortOfNewPod }
    return ports.map {
      "port \($0.remote) on the pod's localhost is not reached: nothing but devrun's agent runs in a new pod"
    }
  }
}
