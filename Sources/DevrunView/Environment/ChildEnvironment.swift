internal import DevrunConfig
package import DevrunCore
internal import DevrunSystem

/// The environment that the command gets: this shell's, then the container's, then `azds-local.env`, then `--env`.
package struct ChildEnvironment {
  /// What a process needs of this machine and no container may change.
  static let keptNames: Set<RawString> = [
    "PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "TERM", "TMPDIR", "LANG", "DISPLAY", "SHLVL", "_",
  ]
  /// Families of such names.
  static let keptPrefixes: [RawString] = ["LC_", "XDG_", "SSH_"]

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
  /// The patterns of variables of either that the command does not get.
  var unset: [Wildcard] = []
  /// The cluster's services, whose variables carry local addresses here.
  var services = ServiceAddresses([])
  /// What no proxy of this machine can reach.
  var proxyExceptions: () -> ProxyExceptions = { ProxyExceptions() }
  /// The files that the command will find.
  var files = LocalFiles()

  /// The environment before the files and the options assign anything.
  struct Base {
    /// The variables by name.
    var variables = EnvironmentVariables()
    /// The container's variables that describe its image, and the reason of each.
    var ofImage: [(variable: EnvironmentVariables.Variable, reason: String)] = []
  }

  /// The shell's variables and the container's.
  func base() -> Base {
    var base = Base()
    for variable in shell where !isUnset(variable.name) { base.variables.set(services.localized(variable) ?? variable) }
    let selection = filter.selection
    for variable in container where !Self.keeps(variable.name) && !isUnset(variable.name) {
      guard selection.takes(variable.name) else { continue }
      if !selection.asksFor(variable.name),
        let reason = ImageVariables.reason(toLeaveOut: variable.name, value: variable.value, files: files)
      {
        base.ofImage.append((variable, reason))
      } else {
        base.variables.set(services.localized(variable) ?? variable)
      }
    }
    return base
  }

  private func isUnset(_ name: RawString) -> Bool {
    guard !unset.isEmpty else { return false }
    let text = name.description
    return unset.contains { $0.matches(text) }
  }

  /// The environment with what the files and the options assign, in that order.
  func resolved(_ base: Base, assigning assignments: [EnvironmentVariables.Variable]) -> EnvironmentVariables {
    var result = base.variables
    for assignment in assignments { result.set(assignment) }
    if ProxyExceptions.areNeeded(in: result) { proxyExceptions().extend(&result, except: isUnset) }
    return result
  }
}
