internal import DevrunCore

/// The environment that the command gets: this shell's, then the container's, then `azds-local.env`, then `--env`.
struct ChildEnvironment {
  /// What a process needs of this machine and no container may change.
  static let keptNames: Set<RawString> = [
    "PATH", "HOME", "PWD", "OLDPWD", "SHELL", "USER", "LOGNAME", "TERM", "TMPDIR", "LANG", "DISPLAY", "SHLVL", "_",
  ]
  /// Families of such names.
  static let keptPrefixes: [RawString] = ["LC_", "LD_", "XDG_", "SSH_"]

  /// Whether a variable stays this machine's whatever the container says.
  static func keeps(_ name: RawString) -> Bool {
    keptNames.contains(name) || keptPrefixes.contains { name.bytes.starts(with: $0.bytes) }
  }

  /// This shell's variables.
  var shell: [RawString: RawString]
  /// The container's variables, as `NAME=VALUE`.
  var container: [RawString]
  /// Which of them count.
  var filter = NameFilter()
  /// The cluster's services, whose variables carry local addresses here.
  var services: [ServiceAddress]
  /// What the file and the command line assign, in that order.
  var assignments: [(name: RawString, value: RawString)]
  /// Names and addresses that no proxy of this machine can reach, for `NO_PROXY`.
  var clusterNames: [String]

  /// The variables by name.
  func resolved() -> [RawString: RawString] {
    var result = shell
    for entry in container {
      guard let (name, value) = Self.split(entry), !Self.keeps(name), filter.takes(name) else { continue }
      result[name] = value
    }
    for service in services { service.localize(&result) }
    for (name, value) in assignments { result[name] = value }
    extendNoProxy(&result)
    return result
  }

  /// `NAME=VALUE` in its parts; `nil` for what has no `=` or no name.
  static func split(_ entry: RawString) -> (RawString, RawString)? {
    guard let equals = entry.bytes.dropFirst().firstIndex(of: UInt8(ascii: "=")) else { return nil }
    return (RawString(entry.bytes[..<equals]), RawString(entry.bytes[(equals + 1)...]))
  }

  /// Where this shell has a proxy, the cluster's names must not go through it.
  private func extendNoProxy(_ variables: inout [RawString: RawString]) {
    let proxies: [RawString] = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]
    guard proxies.contains(where: { !(variables[$0]?.bytes.isEmpty ?? true) }) else { return }
    for name: RawString in ["no_proxy", "NO_PROXY"] {
      let present = variables[name]?.description.split(separator: ",").map(String.init) ?? []
      let added = clusterNames.filter { !present.contains($0) }
      variables[name] = RawString((present + added).joined(separator: ","))
    }
  }
}

/// A service as the child's environment knows it.
struct ServiceAddress: Hashable, Sendable {
  /// The service's name.
  var name: String
  /// Its address in the cluster.
  var clusterIP: String
  /// Its address here.
  var local: String

  /// The variables' common beginning: `-` becomes `_`, upper case
  /// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
  var prefix: String { name.replacing("-", with: "_").uppercased() }

  /// Writes the local address where the service's own variables carry the cluster's. A variable of the same name that
  /// holds anything else is the app's own and stays.
  func localize(_ variables: inout [RawString: RawString]) {
    guard name != "kubernetes" else { return }
    let host = Array((prefix + "_SERVICE_HOST").utf8)
    let port = Array((prefix + "_PORT").utf8)
    for (variable, value) in variables where variable.bytes == host || variable.bytes.starts(with: port) {
      let text = value.description
      if text == clusterIP {
        variables[variable] = RawString(local)
      } else if let range = text.firstRange(of: "://\(clusterIP):") {
        variables[variable] = RawString(text.replacingCharacters(in: range, with: "://\(local):"))
      }
    }
  }
}

extension String {
  fileprivate func replacingCharacters(in range: Range<Index>, with replacement: String) -> String {
    self[..<range.lowerBound] + replacement + self[range.upperBound...]
  }
}
