// Probes as data, and what a row of their results means
// (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes).

internal import DevrunCore
internal import DevrunKube

/// A question that kubelet asks a container, or a hook that it calls (`core/v1` ProbeHandler, LifecycleHandler).
enum ProbeHandler: Sendable, Hashable {
  /// A GET is to be answered with a status from 200 to 399.
  case httpGet(HTTPQuestion)
  /// A connection is to succeed.
  case tcpSocket(host: String, port: Int)
  /// A command is to exit with 0.
  case exec([String])
  /// A gRPC health check is to be answered with SERVING.
  case grpc(host: String, port: Int, service: String)
  /// Only for hooks: some time is to pass.
  case sleep(seconds: Int)

  /// A GET.
  struct HTTPQuestion: Sendable, Hashable {
    var host: String
    var port: Int
    var path: String
    var isSecure = false
    var headers: [Header] = []

    struct Header: Sendable, Hashable {
      var name: String
      var value: String
    }

    /// The question as a URL.
    var url: String { "\(isSecure ? "https" : "http")://\(host):\(port)\(path.hasPrefix("/") ? "" : "/")\(path)" }
  }

  /// Reads a handler. `nil` if it is of an unknown kind, or names a port that the container does not have.
  ///
  /// - Parameters:
  ///   - json: the probe or hook.
  ///   - container: the container, for its ports' names.
  ///   - address: the pod's address.
  init?(_ json: JSONValue, of container: Container, at address: String) {
    func port(_ value: JSONValue?) -> Int? {
      if let number = value?.int { return number }
      guard let name = value?.string else { return nil }
      return Int(name) ?? container.ports.first { $0.name == name }?.number
    }
    func host(_ value: JSONValue) -> String {
      guard let host = value["host"]?.string, !host.isEmpty else { return address }
      return host
    }
    if let get = json["httpGet"] {
      guard let port = port(get["port"]) else { return nil }
      var question = HTTPQuestion(host: host(get), port: port, path: get["path"]?.string ?? "/")
      if question.path.isEmpty { question.path = "/" }
      question.isSecure = get["scheme"]?.string?.uppercased() == "HTTPS"
      question.headers = (get["httpHeaders"]?.array ?? []).map {
        HTTPQuestion.Header(name: $0["name"]?.string ?? "", value: $0["value"]?.string ?? "")
      }
      self = .httpGet(question)
    } else if let socket = json["tcpSocket"] {
      guard let port = port(socket["port"]) else { return nil }
      self = .tcpSocket(host: host(socket), port: port)
    } else if let command = json[path: "exec", "command"]?.array {
      self = .exec(command.compactMap(\.string))
    } else if let grpc = json["grpc"] {
      guard let port = port(grpc["port"]) else { return nil }
      self = .grpc(host: address, port: port, service: grpc["service"]?.string ?? "")
    } else if let seconds = json[path: "sleep", "seconds"]?.int {
      self = .sleep(seconds: seconds)
    } else {
      return nil
    }
  }
}

/// A probe of a container.
struct Probe: Sendable, Hashable {
  /// What a probe is for.
  enum Kind: String, Sendable, CaseIterable {
    case startup, readiness, liveness

    /// The probe's name in a container.
    var field: String { "\(rawValue)Probe" }
    /// The first word of an event on it.
    var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
  }

  /// What it is for.
  var kind: Kind
  /// What it asks.
  var handler: ProbeHandler
  /// When it first asks, after the container's start.
  var initialDelay: Duration
  /// The time from one question to the next.
  var period: Duration
  /// How long an answer may take.
  var timeout: Duration
  /// After how many failures in a row it counts as failed.
  var failureThreshold: Int
  /// After how many successes in a row it counts as answered.
  var successThreshold: Int
  /// The grace of a container that it ends; `nil` is the pod's.
  var gracePeriodSeconds: Int?

  /// The probe of a kind of a container. `nil` if it has none, or one that cannot be asked.
  init?(_ kind: Kind, of container: Container, at address: String) {
    guard let json = container.json[kind.field], let handler = ProbeHandler(json, of: container, at: address) else {
      return nil
    }
    func number(_ name: String, _ other: Int) -> Int {
      guard let number = json[name]?.int, number > 0 else { return other }
      return number
    }
    self.kind = kind
    self.handler = handler
    initialDelay = .seconds(number("initialDelaySeconds", 0))
    period = .seconds(number("periodSeconds", 10))
    timeout = .seconds(number("timeoutSeconds", 1))
    failureThreshold = number("failureThreshold", 3)
    successThreshold = number("successThreshold", 1)
    gracePeriodSeconds = json["terminationGracePeriodSeconds"]?.int
  }
}

/// How a question was answered.
enum ProbeAnswer: Sendable, Hashable {
  case success
  /// Why not, in kubelet's words.
  case failure(String)

  /// Whether it was answered well.
  var isSuccess: Bool { self == .success }
}

/// What a row of answers means.
struct ProbeTally: Sendable {
  private let failureThreshold: Int
  private let successThreshold: Int
  private var last: Bool?
  private var run = 0

  /// No answers yet.
  init(of probe: Probe) {
    failureThreshold = probe.failureThreshold
    successThreshold = probe.successThreshold
  }

  /// Counts an answer.
  ///
  /// - Returns: what the probe counts as from now on; `nil` if the row is not long enough to change that.
  mutating func add(_ isSuccess: Bool) -> Bool? {
    run = last == isSuccess ? run + 1 : 1
    last = isSuccess
    return run >= (isSuccess ? successThreshold : failureThreshold) ? isSuccess : nil
  }
}
