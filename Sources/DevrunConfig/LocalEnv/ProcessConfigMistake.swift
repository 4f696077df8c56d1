internal import DevrunCore

/// The mistakes that only `KubernetesLocalProcessConfig.yaml` can have.
public enum ProcessConfigMistake: Sendable, Hashable {
  /// The file has no version.
  case missingVersion
  /// The file's version is not supported.
  case unknownVersion(String)
  /// A feature is to be switched on that devrun does not have.
  case unsupportedFeature(String)
  /// Two entries have a path for the same volume.
  case volumeNamedTwice(String)
  /// A name that no variable can have.
  case invalidVariableName(String)
  /// `$(` without `)`.
  case unterminatedToken
  /// `$(...)` is none of the known forms; `suggestion` is the known form that is nearest.
  case unknownToken(String, suggestion: String?)
  /// What stands where a service is expected names none.
  case invalidService(String)
  /// What stands where a host with ports is expected is none.
  case invalidEndpoint(String)
  /// A port is no number from 1 to 65535.
  case invalidPort(String)
}

extension ProcessConfigMistake {
  /// The mistake in words, without its place.
  var message: ErrorMessage {
    switch self {
    case .missingVersion:
      ErrorMessage("the file does not say its version", remedy: "begin it with the line 'version: 0.1'")
    case .unknownVersion(let version):
      ErrorMessage("the version '\(version)' is not known", why: "devrun reads version 0.1")
    case .unsupportedFeature(let name): Self.message(onFeature: name)
    case .volumeNamedTwice(let name):
      ErrorMessage("the volume '\(name)' has a localPath already", remedy: "keep one of the two")
    case .invalidVariableName(let name):
      ErrorMessage("'\(name)' is no name of a variable", why: "it must not be empty or have '=' in it")
    case .unterminatedToken:
      ErrorMessage("'$(' without ')'", remedy: "write $$( where you mean the characters $(")
    case .unknownToken(let text, let suggestion):
      ErrorMessage(
        "'$(\(text))' is not known",
        why: "known are $(volumeMounts:NAME), $(services:NAME), $(services:NAME.NAMESPACE) and"
          + " $(externalendpoints:HOST:PORT)",
        remedy: suggestion.map { "did you mean $(\($0))?" } ?? "write $$( where you mean the characters $(")
    case .invalidService(let text):
      ErrorMessage(
        "'\(text)' names no service",
        why: "write NAME or NAME.NAMESPACE, of lower-case letters, digits and '-', and perhaps :PORT,PORT")
    case .invalidEndpoint(let text):
      ErrorMessage(
        "'\(text)' is no host with ports", why: "write HOST:PORT or HOST:PORT,PORT; HOST may be no IPv6 address")
    case .invalidPort(let text):
      ErrorMessage("'\(text)' is no port", why: "ports are numbers from 1 to 65535")
    }
  }

  /// What is said of a feature of Bridge to Kubernetes, written in any letter case, or of one that nobody has.
  private static func message(onFeature name: String) -> ErrorMessage {
    let features = ["ManagedIdentity", "Probes", "LifecycleHooks"]
    return switch features.first(where: { $0.lowercased() == name.lowercased() }) {
    case "ManagedIdentity":
      ErrorMessage(
        "the feature \(name) is not supported", why: "devrun has no endpoint for tokens of its own",
        remedy: "remove it; if the pod gets its tokens from the node's metadata service, name that in env with"
          + " $(externalendpoints:169.254.169.254:80)")
    case "Probes":
      ErrorMessage(
        "the feature \(name) is not supported", why: "the agent answers the pod's probes, never the command",
        remedy: "remove it")
    case "LifecycleHooks":
      ErrorMessage(
        "the feature \(name) is not supported",
        why: "postStart and preStop of the container do not run while the agent stands for it",
        remedy: "remove it; call what the hooks do in the command itself, as in"
          + " devrun -- sh -c './post-start.sh && exec ./app'")
    default:
      ErrorMessage(
        "there is no feature '\(name)'", why: "devrun has none that a file could enable",
        remedy: nearest(to: name, in: features).map {
          "'\($0)' was one of Bridge to Kubernetes and is not supported either; remove it"
        } ?? "remove it")
    }
  }
}
