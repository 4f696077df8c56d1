internal import DevrunCore

/// The change to a pod template that puts the agent in the place of one container.
///
/// The container keeps its image, environment, volumes, security context and resources: only what starts in it and
/// what asks after it changes. Every field that the API server would fill in with a default is written out, so that
/// what is stored is what was sent, and a later comparison can tell our change from another's.
struct AgentTemplate: Sendable {
  /// Where the pieces of the agent appear in the container.
  static let payloadDirectory = "/.devrun"
  /// Where the loader unpacks the agent: a disk-backed `emptyDir`.
  static let runDirectory = "/.devrun-run"
  /// The pod annotation that tells the pods of a session: `devrun.dev/session`.
  static let sessionAnnotation = "devrun.dev/session"

  /// The session's name, a value of the annotation.
  var session: String
  /// The container that the agent replaces.
  var container: String
  /// The ConfigMaps that hold the loader and the pieces.
  var payload: PayloadConfigMaps
  /// The port of the pod's loopback where the agent expects devrun.
  var controlPort: UInt16
  /// The agent's own arguments.
  var arguments: [String]

  /// The template with the agent in it.
  ///
  /// - Throws: `SessionError.noSuchContainer`, `.otherArchitecture`
  func applied(to template: JSONValue) throws -> JSONValue {
    var template = template
    var metadata = template["metadata"] ?? [:]
    var annotations = metadata["annotations"] ?? [:]
    annotations[Self.sessionAnnotation] = .string(session)
    metadata["annotations"] = annotations
    template["metadata"] = metadata

    var spec = template["spec"] ?? [:]
    var containers = spec["containers"]?.array ?? []
    guard let index = containers.firstIndex(where: { $0["name"]?.string == container }) else {
      throw SessionError.noSuchContainer(container, available: containers.compactMap { $0["name"]?.string })
    }
    containers[index] = replaced(containers[index])
    spec["containers"] = .array(containers)
    spec["nodeSelector"] = try pinned(spec["nodeSelector"])
    spec["volumes"] = .array((spec["volumes"]?.array ?? []) + volumes)
    template["spec"] = spec
    return template
  }

  /// The container with the agent in the app's place.
  private func replaced(_ container: JSONValue) -> JSONValue {
    var container = container
    let loader = Self.payloadDirectory + "/loader"
    container["command"] = [
      .string(loader), "run", .string(Self.runDirectory), .string(Self.payloadDirectory), "--",
    ]
    container["args"] = .array(arguments.map(JSONValue.string))
    container["lifecycle"] = nil
    container["terminationMessagePolicy"] = "FallbackToLogsOnError"
    container["readinessProbe"] = probe([loader, "ready", Self.readyFile], period: 1)
    let alive = [loader, "alive", "\(controlPort)"]
    if container["livenessProbe"] != nil { container["livenessProbe"] = probe(alive, period: 10) }
    // Readiness is not asked for before this has succeeded.
    if container["startupProbe"] != nil { container["startupProbe"] = probe(alive, period: 1, failures: 60) }
    container["volumeMounts"] = .array(
      (container["volumeMounts"]?.array ?? []) + [
        ["name": "devrun-payload", "mountPath": .string(Self.payloadDirectory), "readOnly": true],
        ["name": "devrun-run", "mountPath": .string(Self.runDirectory)],
      ])
    return container
  }

  /// Where the agent tells by a file that a tunnel is attached.
  static let readyFile = runDirectory + "/ready"

  private func probe(_ command: [String], period: Int64, failures: Int64 = 3) -> JSONValue {
    [
      "exec": ["command": .array(command.map(JSONValue.string))], "timeoutSeconds": 5,
      "periodSeconds": .int(period), "successThreshold": 1, "failureThreshold": .int(failures),
    ]
  }

  private var volumes: [JSONValue] {
    let loader: JSONValue = [
      "configMap": [
        "name": .string(payload.loader), "items": [["key": "loader", "path": "loader", "mode": 0o555]],
      ]
    ]
    let pieces = payload.pieces.map { name -> JSONValue in ["configMap": ["name": .string(name)]] }
    return [
      ["name": "devrun-payload", "projected": ["defaultMode": 0o444, "sources": .array([loader] + pieces)]],
      ["name": "devrun-run", "emptyDir": [:]],
    ]
  }

  /// The node selector with the payload's operating system and architecture in it.
  private func pinned(_ selector: JSONValue?) throws -> JSONValue {
    var selector = selector ?? [:]
    for (label, value) in [("kubernetes.io/os", "linux"), ("kubernetes.io/arch", payload.architecture)] {
      if let wanted = selector[label]?.string, wanted != value {
        throw SessionError.otherArchitecture(wanted: wanted, payload: value)
      }
      selector[label] = .string(value)
    }
    return selector
  }
}

/// The ConfigMaps that carry the agent into the cluster, by name.
struct PayloadConfigMaps: Sendable, Hashable {
  /// The one with the key `loader`.
  var loader: String
  /// Those with the agent's pieces, each under its file name.
  var pieces: [String]
  /// The architecture that the agent was built for, as the node label `kubernetes.io/arch` names it.
  var architecture: String
}
