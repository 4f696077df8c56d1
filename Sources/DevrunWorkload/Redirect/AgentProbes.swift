internal import DevrunCore
internal import DevrunKube

/// The probes of a container whose app the agent replaces, and the options by which the agent answers them.
///
/// Each probe keeps the kind of its handler. A later `kubectl apply` of the app's own probe would otherwise add a second
/// handler, and the API server refuses that. A container without a readiness probe gets none.
///
/// Probes over the network cost little: readiness is asked for every second. A probe that starts a process is asked
/// every second only until a tunnel is attached, and rarely from then on. Each field that has a default is written out.
struct AgentProbes {
  /// What a probe asks.
  private enum Question: String {
    /// Whether a tunnel is attached.
    case ready
    /// Whether the agent runs.
    case alive
  }

  private enum Kind: String, CaseIterable {
    case httpGet, tcpSocket, grpc, exec

    init?(_ probe: JSONValue) {
      guard let kind = Self.allCases.first(where: { probe[$0.rawValue]?.object != nil }) else { return nil }
      self = kind
    }
  }

  /// How many failures are endured of a probe that ends or restarts the container: an hour's, at one a second.
  private static let endured: Int64 = 3600
  /// An agent has at least so many seconds to start: a container with a small share of a processor inflates it slowly.
  private static let leastInitialDelay: Int64 = 60

  private let access: AgentPorts

  /// The probes by their names in a container: `readinessProbe`, `livenessProbe`, `startupProbe`.
  private(set) var probes: [String: JSONValue] = [:]
  /// The options of the agent that the probes need.
  private(set) var options: Set<AgentOption> = []

  /// The probes in place of a container's own.
  init(replacing container: Container, access: AgentPorts) {
    self.access = access
    let readiness = container.json["readinessProbe"].flatMap(Kind.init)
    let liveness = container.json["livenessProbe"].flatMap(Kind.init)
    var startup = container.json["startupProbe"].flatMap(Kind.init)
    // The container counts as started once a tunnel is attached, so that readiness can then be asked for rarely.
    let startsReady = readiness == .exec
    if startsReady, startup == nil { startup = .exec }
    if let startup {
      probes["startupProbe"] = probe(
        startup, startsReady ? .ready : .alive, period: 1, timeout: 5, failures: Self.endured)
    }
    if let readiness {
      probes["readinessProbe"] =
        readiness == .exec
        ? probe(readiness, .ready, period: 10, timeout: 9, failures: 1)
        : probe(readiness, .ready, period: 1, timeout: 5, failures: 3)
    }
    if let liveness {
      let own = Int64(container.json["livenessProbe"]?["initialDelaySeconds"]?.int ?? 0)
      probes["livenessProbe"] = probe(
        liveness, .alive, period: 30, timeout: 10, failures: 3, initialDelay: max(own, Self.leastInitialDelay))
    }
  }

  /// A readiness probe that succeeds while a tunnel is attached.
  static func attached(access: AgentPorts) -> JSONValue {
    [
      "httpGet": httpGet(.ready, access), "timeoutSeconds": 5, "periodSeconds": 5, "successThreshold": 1,
      "failureThreshold": 1,
    ]
  }

  /// A readiness probe that never asks, so that the container never is ready.
  static func never(access: AgentPorts) -> JSONValue {
    var probe = attached(access: access)
    probe["initialDelaySeconds"] = 2_000_000_000
    probe["periodSeconds"] = 86_400
    return probe
  }

  private mutating func probe(
    _ kind: Kind, _ question: Question, period: Int64, timeout: Int64, failures: Int64, initialDelay: Int64 = 0
  ) -> JSONValue {
    var probe: JSONValue = [
      "timeoutSeconds": .int(timeout), "periodSeconds": .int(period), "successThreshold": 1,
      "failureThreshold": .int(failures),
    ]
    if initialDelay > 0 { probe["initialDelaySeconds"] = .int(initialDelay) }
    probe[kind.rawValue] = handler(kind, question)
    return probe
  }

  private mutating func handler(_ kind: Kind, _ question: Question) -> JSONValue {
    switch (kind, question) {
    case (.httpGet, _):
      options.insert(.probePort)
      return Self.httpGet(question, access)
    case (.grpc, _):
      options.insert(.probePort)
      return ["port": .int(Int64(access.probe)), "service": .string(question.rawValue)]
    case (.tcpSocket, .ready):
      options.insert(.readyPort)
      return ["port": .int(Int64(access.ready))]
    case (.tcpSocket, .alive):
      options.insert(.probePort)
      return ["port": .int(Int64(access.probe))]
    case (.exec, .ready):
      options.insert(.readyFile)
      return ["command": [.string(AgentTemplate.loader), "ready", .string(AgentTemplate.readyFile)]]
    case (.exec, .alive):
      return ["command": [.string(AgentTemplate.loader), "alive", .string("\(access.control)")]]
    }
  }

  private static func httpGet(_ question: Question, _ access: AgentPorts) -> JSONValue {
    ["path": .string("/" + question.rawValue), "port": .int(Int64(access.probe)), "scheme": "HTTP"]
  }
}

/// An option of the agent that not every container needs.
enum AgentOption: Hashable {
  /// `--ready-file`
  case readyFile
  /// `--probe-port`
  case probePort
  /// `--ready-port`
  case readyPort
}
