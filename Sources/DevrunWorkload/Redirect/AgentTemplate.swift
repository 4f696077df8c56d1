internal import DevrunCore
package import DevrunKube

/// The change to a pod template that puts the agent in the place of one container.
///
/// The container keeps its image, arguments, environment, volumes, security context and resources: only what starts in
/// it and what asks after it changes. The agent ignores the app's arguments, so that whoever resets `command` gets the app
/// as it should be. Every field that the API server would fill in with a default is written out, so that what is stored
/// is what was sent, and a later comparison can tell our change from another's.
package struct AgentTemplate: Sendable {
  /// Where the pieces of the agent appear in the container.
  static let payloadDirectory = "/.devrun"
  /// Where the loader unpacks the agent: a disk-backed `emptyDir`.
  static let runDirectory = "/.devrun-run"
  /// The program that unpacks and starts the agent, and runs as its `exec` probes.
  static let loader = payloadDirectory + "/loader"
  /// Where the agent shows by a file that a tunnel is attached.
  static let readyFile = runDirectory + "/ready"

  /// The session's name.
  package var session: String
  /// The container that the agent replaces.
  package var container: String
  /// The ConfigMaps that hold the loader and the pieces.
  package var payload: PayloadConfigMaps
  /// The ports that the agent uses for itself.
  package var access: AgentPorts
  /// The SHA-256 of the session's secret, in hexadecimal digits.
  package var secretDigest: String
  /// The app's ports, which the agent listens on.
  package var ports: [UInt16]
  /// Whether the agent goes without those ports that the container's user may not listen on.
  package var portsAreOptional = false

  /// A change of the given parts.
  ///
  /// - Parameters:
  ///   - session: the session's name.
  ///   - container: the name of the container that the agent replaces.
  ///   - payload: the ConfigMaps that hold the loader and the pieces.
  ///   - access: the ports that the agent uses for itself.
  ///   - secretDigest: the SHA-256 of the session's secret, in hexadecimal digits.
  ///   - ports: the app's ports, which the agent listens on.
  package init(
    session: String, container: String, payload: PayloadConfigMaps, access: AgentPorts, secretDigest: String,
    ports: [UInt16]
  ) {
    self.session = session
    self.container = container
    self.payload = payload
    self.access = access
    self.secretDigest = secretDigest
    self.ports = ports
  }

  /// The template with the agent in it.
  ///
  /// - Throws: `WorkloadError.noSuchContainer`, `.otherArchitecture`
  package func applied(to template: KubeObject) throws(WorkloadError) -> KubeObject {
    var template = template
    template.annotations[SessionMark.key] = session
    guard let index = template.containers.firstIndex(where: { $0.name == container }) else {
      throw .noSuchContainer(container, available: template.containers.map(\.name))
    }
    template.containers[index] = replaced(template.containers[index])
    template.spec["nodeSelector"] = try pinned(template)
    template.volumes += volumes
    return template
  }

  /// The container with the agent in the app's place.
  private func replaced(_ container: Container) -> Container {
    let probes = AgentProbes(replacing: container, access: access)
    var container = starting(container, options: probes.options)
    container.json["lifecycle"] = nil
    for name in ["readinessProbe", "livenessProbe", "startupProbe"] { container.json[name] = probes.probes[name] }
    return container
  }

  /// The container with the agent as its program. Probes, hooks and arguments stay.
  func starting(_ container: Container, options: Set<AgentOption>) -> Container {
    var container = container
    container.json["command"] = command(options)
    container.json["terminationMessagePolicy"] = "FallbackToLogsOnError"
    container.volumeMounts += [
      ["name": "devrun-payload", "mountPath": .string(Self.payloadDirectory), "readOnly": true],
      ["name": "devrun-run", "mountPath": .string(Self.runDirectory)],
    ]
    return container
  }

  private func command(_ options: Set<AgentOption>) -> JSONValue {
    var words = [Self.loader, "run", Self.runDirectory, Self.payloadDirectory, "--"]
    words += ["--control-port", "\(access.control)", "--secret-sha256", secretDigest]
    if options.contains(.readyFile) { words += ["--ready-file", Self.readyFile] }
    words += ports.flatMap { [portsAreOptional ? "--optional-port" : "--port", "\($0)"] }
    if options.contains(.probePort) { words += ["--probe-port", "\(access.probe)"] }
    if options.contains(.readyPort) { words += ["--ready-port", "\(access.ready)"] }
    // The app's arguments follow.
    words.append("--")
    return .array(words.map(JSONValue.string))
  }

  /// The volumes that the agent's container mounts beside its own.
  var volumes: [JSONValue] {
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

  /// Where the agent can run.
  private var platform: PodPlatform { PodPlatform(architecture: payload.architecture) }

  /// Makes sure that the pods of a template run where the agent can.
  ///
  /// - Throws: `WorkloadError.otherArchitecture`
  package func check(_ template: KubeObject) throws(WorkloadError) { try platform.check(template) }

  /// The node selector of a template with the payload's operating system and architecture in it.
  ///
  /// - Throws: `WorkloadError.otherArchitecture`
  func pinned(_ template: KubeObject) throws(WorkloadError) -> JSONValue { try platform.selector(of: template) }
}
