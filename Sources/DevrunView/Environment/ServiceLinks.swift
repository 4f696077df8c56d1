internal import DevrunCore
package import DevrunKube
package import DevrunSystem

/// The variables in which Kubernetes lists the services of a pod's namespace for its containers
/// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
///
/// The kubelet makes them where a pod has `enableServiceLinks`. The session's pod does without: with thousands of
/// services they delay its start by a second and more.
package enum ServiceLinks {
  /// The variables of a namespace's services, with the services' addresses in the cluster.
  ///
  /// - Parameter services: of this namespace and of others. Headless ones have no variables.
  package static func variables(
    of services: [KubeObject], in namespace: String
  ) -> [EnvironmentVariables.Variable] {
    services.filter { $0.namespace == namespace }.sorted { $0.name < $1.name }.flatMap(variables)
  }

  private static func variables(of service: KubeObject) -> [EnvironmentVariables.Variable] {
    guard let text = service.spec["clusterIP"]?.string, let address = IPAddress(text) else { return [] }
    let ports = (service.spec["ports"]?.array ?? []).compactMap(Port.init)
    guard let first = ports.first else { return [] }
    let prefix = String(decoding: ServiceVariable.prefix(of: service.name), as: UTF8.self)
    var variables: [EnvironmentVariables.Variable] = []
    func add(_ end: String, _ value: String) {
      variables.append(.init(name: RawString(prefix + end), value: RawString(value), origin: .container))
    }
    let host = address.isIPv4 ? text : "[\(text)]"
    func url(_ port: Port) -> String { "\(port.transport)://\(host):\(port.number)" }
    add("_SERVICE_HOST", text)
    add("_SERVICE_PORT", "\(first.number)")
    for port in ports {
      guard let name = port.name else { continue }
      add("_SERVICE_PORT_" + String(decoding: ServiceVariable.prefix(of: name), as: UTF8.self), "\(port.number)")
    }
    add("_PORT", url(first))
    for port in ports {
      let end = "_PORT_\(port.number)_\(port.transport.uppercased())"
      add(end, url(port))
      add(end + "_PROTO", port.transport)
      add(end + "_PORT", "\(port.number)")
      add(end + "_ADDR", text)
    }
    return variables
  }

  /// A port of a service (`core/v1` ServicePort).
  private struct Port {
    var number: Int
    var name: String?
    /// In lower case.
    var transport: String

    init?(_ json: JSONValue) {
      guard let number = json["port"]?.int else { return nil }
      self.number = number
      name = json["name"]?.string.flatMap { $0.isEmpty ? nil : $0 }
      transport = (json["protocol"]?.string ?? "TCP").lowercased()
    }
  }
}

extension EnvironmentVariables {
  /// The container's variables with those of services, where the container has none of the same name: the kubelet ranks
  /// them so.
  package func linking(_ services: [KubeObject], in namespace: String) -> EnvironmentVariables {
    var result = self
    for variable in ServiceLinks.variables(of: services, in: namespace)
    where self.variable(named: variable.name) == nil { result.set(variable) }
    return result
  }
}
