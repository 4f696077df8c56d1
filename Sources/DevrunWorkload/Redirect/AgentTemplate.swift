internal import DevrunCore
internal import DevrunKube

/// The change to a pod template that puts the agent in the place of one container.
///
/// The container keeps its image, environment, volumes, security context and resources: only what starts in it and
/// what asks after it changes. Every field that the API server would fill in with a default is written out, so that
/// what is stored is what was sent, and a later comparison can tell our change from another's.
package struct AgentTemplate: Sendable {
  /// Where the pieces of the agent appear in the container.
  static let payloadDirectory = "/.devrun"
  /// Where the loader unpacks the agent: a disk-backed `emptyDir`.
  static let runDirectory = "/.devrun-run"
  /// Where the agent shows by a file that a tunnel is attached.
  package static let readyFile = runDirectory + "/ready"

  /// The session's name.
  var session: String
  /// The container that the agent replaces.
  var container: String
  /// The ConfigMaps that hold the loader and the pieces.
  var payload: PayloadConfigMaps
  /// The port of the pod's loopback where the agent expects devrun.
  var controlPort: UInt16
  /// The agent's own arguments.
  var arguments: [String]

  /// A change of the given parts.
  ///
  /// - Parameters:
  ///   - session: the session's name.
  ///   - container: the name of the container that the agent replaces.
  ///   - payload: the ConfigMaps that hold the loader and the pieces.
  ///   - controlPort: the port of the pod's loopback where the agent expects devrun.
  ///   - arguments: the agent's own arguments.
  package init(
    session: String, container: String, payload: PayloadConfigMaps, controlPort: UInt16, arguments: [String]
  ) {
    self.session = session
    self.container = container
    self.payload = payload
    self.controlPort = controlPort
    self.arguments = arguments
  }

  /// The template with the agent in it.
  ///
  /// - Throws: `WorkloadError.noSuchContainer`, `.otherArchitecture`
  func applied(to template: KubeObject) throws(WorkloadError) -> KubeObject {
    var template = template
    template.annotations[SessionMark.key] = session
    guard let index = template.containers.firstIndex(where: { $0.name == container }) else {
      throw .noSuchContainer(container, available: template.containers.map(\.name))
    }
    template.containers[index] = replaced(template.containers[index])
    template.spec["nodeSelector"] = try pinned(template.spec["nodeSelector"])
    template.volumes += volumes
    return template
  }

  /// The container with the agent in the app's place.
  private func replaced(_ container: Container) -> Container {
    var container = container
    let loader = Self.payloadDirectory + "/loader"
    container.json["command"] = [
      .string(loader), "run", .string(Self.runDirectory), .string(Self.payloadDirectory), "--",
    ]
    container.json["args"] = .array(arguments.map(JSONValue.string))
    container.json["lifecycle"] = nil
    container.json["terminationMessagePolicy"] = "FallbackToLogsOnError"
    container.json["readinessProbe"] = probe([loader, "ready", Self.readyFile], period: 1)
    let alive = [loader, "alive", "\(controlPort)"]
    if container.json["livenessProbe"] != nil { container.json["livenessProbe"] = probe(alive, period: 10) }
    // Readiness is not asked for before this has succeeded.
    if container.json["startupProbe"] != nil {
      container.json["startupProbe"] = probe(alive, period: 1, failures: 60)
    }
    container.volumeMounts += [
      ["name": "devrun-payload", "mountPath": .string(Self.payloadDirectory), "readOnly": true],
      ["name": "devrun-run", "mountPath": .string(Self.runDirectory)],
    ]
    return container
  }

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
  private func pinned(_ selector: JSONValue?) throws(WorkloadError) -> JSONValue {
    var selector = selector ?? [:]
    for (label, value) in [("kubernetes.io/os", "linux"), ("kubernetes.io/arch", payload.architecture)] {
      if let wanted = selector[label]?.string, wanted != value {
        throw .otherArchitecture(wanted: wanted, payload: value)
      }
      selector[label] = .string(value)
    }
    return selector
  }
}
