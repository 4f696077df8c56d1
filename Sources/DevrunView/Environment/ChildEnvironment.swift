package import DevrunCore
internal import DevrunSystem

/// The environment that the command gets: this shell's, then the container's, then `azds-local.env`, then `--env`.
package struct ChildEnvironment {
  /// What a process needs of this machine and no container may change.
  static let keptNames: Set<RawString> = [
    "PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "TERM", "TMPDIR", "LANG", "DISPLAY", "SHLVL", "_",
  ]
  /// Families of such names.
  static let keptPrefixes: [RawString] = ["LC_", "LD_", "XDG_", "SSH_"]

  /// Whether a variable stays this machine's whatever the container says.
  package static func keeps(_ name: RawString) -> Bool {
    keptNames.contains(name) || keptPrefixes.contains { name.bytes.starts(with: $0.bytes) }
  }

  /// This shell's variables.
  var shell: EnvironmentVariables
  /// The container's variables.
  var container: EnvironmentVariables
  /// Which of them count.
  var filter = NameFilter()
  /// The cluster's services, whose variables carry local addresses here.
  var services: [ServiceAddress]
  /// What the file and the command line assign, in that order.
  var assignments: [EnvironmentVariables.Variable]
  /// Names and addresses that no proxy of this machine can reach, for `NO_PROXY`.
  var clusterNames: [String]

  /// The variables by name.
  func resolved() -> EnvironmentVariables {
    var result = shell
    for variable in container where !Self.keeps(variable.name) && filter.takes(variable.name) { result.set(variable) }
    for service in services { service.localize(&result) }
    for assignment in assignments { result.set(assignment) }
    extendNoProxy(&result)
    return result
  }

  /// Where this shell has a proxy, the cluster's names must not go through it.
  private func extendNoProxy(_ variables: inout EnvironmentVariables) {
    let proxies: [RawString] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    guard proxies.contains(where: { !(variables[$0]?.bytes.isEmpty ?? true) }) else { return }
    for name: RawString in ["no_proxy", "NO_PROXY"] {
      let present = variables[name]?.description.split(separator: ",").map(String.init) ?? []
      let added = clusterNames.filter { !present.contains($0) }
      variables.set(
        name, to: RawString((present + added).joined(separator: ",")),
        from: variables.variable(named: name)?.origin ?? .shell)
    }
  }
}
