package import DevrunConfig
internal import DevrunCore
internal import DevrunPlan
package import DevrunSystem

extension ClusterView {
  /// Lets the command reach hosts and networks from the session pod's place. Before the child runs: the hosts file is yet
  /// to be written. This machine's own addresses stay this machine's in a network, and are the pod's if a text names one.
  ///
  /// - Parameters:
  ///   - texts: what the user asks for.
  ///   - variables: the variables that may stand in it.
  /// - Throws: `ViaPodError`
  package func reachFromPod(
    _ texts: [ViaPodText], variables: @autoclosure () -> EnvironmentVariables
  ) throws(ViaPodError) {
    guard !texts.isEmpty else { return }
    let variables = variables()
    var hosts: [String] = []
    var rules: [NetworkRule] = []
    for text in texts {
      let rule = try text.rule(variables)
      switch rule.place {
      case .host(let name): hosts.append(name)
      case .network(let network): rules.append(NetworkRule(network, ports: rule.ports, except: machine))
      }
    }
    if !hosts.isEmpty { load(hosts: hosts) }
    redirected.add(rules: rules)
  }

  /// The networks that are reached from the pod's place, as `NO_PROXY` has them.
  var networksOfPod: [String] { redirected.rules.map(\.network.description) }
}

extension ChildEnvironment {
  /// What the command's variables would be without any file or option: the container's over this shell's, except those
  /// that the container never changes.
  package static func plain(shell: EnvironmentVariables, container: EnvironmentVariables) -> EnvironmentVariables {
    var variables = shell
    for variable in container where !keeps(variable.name) { variables.set(variable) }
    return variables
  }
}
