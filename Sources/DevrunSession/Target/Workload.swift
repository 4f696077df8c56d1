internal import DevrunConfig
internal import DevrunCore

/// A Deployment that is to be redirected, and how it was named.
struct Workload: Sendable {
  /// `metadata.namespace`
  var namespace: String
  /// `metadata.name`
  var name: String
  /// The Deployment as it was read.
  var object: JSONValue
  /// What named it, when that was something else: `service/web`, `pod/web-0`.
  var namedBy: String?
  /// The ports that the naming Service leads to: numbers, or names of container ports.
  var servicePorts: [JSONValue] = []

  /// `spec.template`
  var template: JSONValue { object["spec"]?["template"] ?? [:] }
  /// The labels of its pods, as `spec.selector.matchLabels` has them.
  var labelSelector: String { LabelSelector.text(of: object["spec"]?["selector"] ?? [:]) }
}

/// The container of a pod that the agent replaces, and the ports that it serves.
struct ContainerChoice: Sendable, Hashable {
  /// Containers that stand beside apps and are hardly ever the app.
  static let sidecars: Set<String> = [
    "istio-proxy", "linkerd-proxy", "devspaces-proxy", "nginx-proxy", "jaeger-agent", "daprd",
  ]

  /// The container's name.
  var name: String
  /// What is redirected.
  var ports: [PortMapping]

  /// Chooses the container: the named one; else the one that serves the ports; else the only one that is no known
  /// sidecar.
  ///
  /// - Parameters:
  ///   - podSpec: `spec` of the pod or of its template.
  ///   - servicePorts: the target ports of the Service that named the workload.
  /// - Throws: `SessionError.noSuchContainer`, `.ambiguousContainer`
  static func choose(named name: String?, ports: [PortMapping], servicePorts: [JSONValue], podSpec: JSONValue) throws
    -> ContainerChoice
  {
    let containers = podSpec["containers"]?.array ?? []
    let names = containers.compactMap { $0["name"]?.string }
    let wanted = Set(ports.map { Int($0.remote) } + servicePorts.compactMap(\.int))
    let wantedNames = Set(servicePorts.compactMap(\.string))

    let chosen: JSONValue
    if let name {
      guard let match = containers.first(where: { $0["name"]?.string == name }) else {
        throw SessionError.noSuchContainer(name, available: names)
      }
      chosen = match
    } else {
      let serving = containers.filter { container in
        declared(container).contains { wanted.contains($0.number) || wantedNames.contains($0.name ?? "") }
      }
      let apps = containers.filter { !sidecars.contains($0["name"]?.string ?? "") }
      let declaring = apps.filter { !declared($0).isEmpty }
      guard let match = [serving, apps, declaring].first(where: { $0.count == 1 })?.first else {
        throw SessionError.ambiguousContainer(available: names)
      }
      chosen = match
    }
    return ContainerChoice(
      name: chosen["name"]?.string ?? "", ports: mappings(of: chosen, asked: ports, servicePorts: servicePorts))
  }

  /// The asked ports; else those that the container declares, and those that the Service leads to.
  private static func mappings(of container: JSONValue, asked: [PortMapping], servicePorts: [JSONValue])
    -> [PortMapping]
  {
    if !asked.isEmpty { return asked }
    let numbers = declared(container).map(\.number) + servicePorts.compactMap(\.int)
    var seen: Set<Int> = []
    return numbers.filter { seen.insert($0).inserted }.compactMap { UInt16(exactly: $0) }
      .map { PortMapping(remote: $0, local: $0) }
  }

  /// The TCP ports that a container declares.
  private static func declared(_ container: JSONValue) -> [(number: Int, name: String?)] {
    (container["ports"]?.array ?? []).compactMap { port in
      guard port["protocol"]?.string ?? "TCP" == "TCP", let number = port["containerPort"]?.int else { return nil }
      return (number, port["name"]?.string)
    }
  }
}

/// Label selectors in the form that a query takes
/// (https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors).
enum LabelSelector {
  /// The text of a `LabelSelector` object (`matchLabels` and `matchExpressions`).
  static func text(of selector: JSONValue) -> String {
    let labels = (selector["matchLabels"]?.stringMap ?? [:]).map { "\($0)=\($1)" }.sorted()
    let expressions = (selector["matchExpressions"]?.array ?? []).compactMap { expression -> String? in
      guard let key = expression["key"]?.string else { return nil }
      let values = (expression["values"]?.array ?? []).compactMap(\.string).joined(separator: ",")
      return switch expression["operator"]?.string {
      case "In": "\(key) in (\(values))"
      case "NotIn": "\(key) notin (\(values))"
      case "Exists": key
      case "DoesNotExist": "!\(key)"
      default: nil
      }
    }
    return (labels + expressions).joined(separator: ",")
  }

  /// The text of a plain map of labels, as a Service has it.
  static func text(of labels: [String: String]) -> String {
    labels.map { "\($0)=\($1)" }.sorted().joined(separator: ",")
  }
}
