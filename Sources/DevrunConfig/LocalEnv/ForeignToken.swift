/// A token of one of the two kinds of environment files in the other one, where it is plain text.
struct ForeignToken: Sendable, Hashable {
  /// The token as it is written.
  var text: String
  /// What means the same in the file's own syntax.
  var instead: String

  /// The first token of `azds-local.env` in a value of `KubernetesLocalProcessConfig.yaml`.
  static func first(ofLocalEnvIn value: String) -> ForeignToken? {
    guard let match = value.firstMatch(of: /\$\{(volumes|services|env)\.([^}\s]+)\}/) else { return nil }
    let name = String(match.2)
    let instead =
      switch match.1 {
      case "volumes": "$(volumeMounts:\(name.prefix { $0 != "/" && $0 != "|" }))"
      case "services": "$(services:\(name.split(separator: ".").reversed().joined(separator: ".")))"
      default: "the line in azds-local.env, because this file has no token for variables,"
      }
    return ForeignToken(text: String(match.0), instead: instead)
  }

  /// The first token of `KubernetesLocalProcessConfig.yaml` in a value of `azds-local.env`.
  static func first(ofProcessConfigIn value: String) -> ForeignToken? {
    guard let match = value.firstMatch(of: /(?i)\$\((volumeMounts|services|externalendpoints):([^)\s]+)/) else {
      return nil
    }
    let name = match.2.prefix { $0 != ":" }
    let instead =
      switch match.1.lowercased() {
      case "volumemounts": "${volumes.\(match.2)}"
      case "services": "${services.\(name.split(separator: ".").reversed().joined(separator: "."))}"
      default: "it in KubernetesLocalProcessConfig.yaml, because this file has no token for hosts outside,"
      }
    return ForeignToken(text: String(match.0) + ")", instead: instead)
  }
}
