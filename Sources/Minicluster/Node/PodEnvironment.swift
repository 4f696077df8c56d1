// A container's environment as kubelet makes it: `envFrom`, `env`, then the variables of services
// (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).

internal import DevrunCore
internal import DevrunKube
internal import Foundation

/// Why a container cannot be started as it is configured.
struct ContainerConfigError: Error, Sendable, Hashable {
  /// Kubelet's one word for it.
  var reason = "CreateContainerConfigError"
  /// What is wrong, in kubelet's words.
  var message: String
}

/// Where a container's environment comes from.
struct PodEnvironment {
  /// The pod's fields.
  var fields: PodFields
  /// The services of the pod's namespace, and `kubernetes` of `default`.
  var services: [KubeObject]
  /// Reads a ConfigMap of the pod's namespace.
  var configMap: (String) -> KubeObject?
  /// Reads a Secret of the pod's namespace.
  var secret: (String) -> KubeObject?

  /// The environment of a container.
  struct Result: Sendable, Hashable {
    /// The variables.
    var variables: [String: String] = [:]
    /// Warnings on keys that are left out since no variable can have their name.
    var warnings: [String] = []
  }

  /// Makes the environment of a container.
  func environment(of container: Container) throws(ContainerConfigError) -> Result {
    var result = Result()
    for source in container.environmentSources {
      try add(source, to: &result)
    }
    var serviceVariables = ServiceVariables(
      of: services, inNamespace: fields.pod.namespace ?? "",
      withLinks: fields.pod.spec["enableServiceLinks"]?.bool ?? true
    ).variables
    for variable in container.environment {
      guard let name = variable["name"]?.string,
        let value = try value(of: variable, container, seeing: result.variables, serviceVariables)
      else { continue }
      serviceVariables[name] = nil
      result.variables[name] = value
    }
    result.variables.merge(serviceVariables) { own, _ in own }
    return result
  }

  private func add(_ source: JSONValue, to result: inout Result) throws(ContainerConfigError) {
    let (values, kind, name): ([String: String], String, String)
    if let reference = source["configMapRef"] {
      (kind, name) = ("configMap", reference["name"]?.string ?? "")
      guard let map = configMap(name) else { return try refuse("configmap \"\(name)\" not found", reference) }
      values = map.json["data"]?.stringMap ?? [:]
    } else if let reference = source["secretRef"] {
      (kind, name) = ("secret", reference["name"]?.string ?? "")
      guard let secret = secret(name) else { return try refuse("secret \"\(name)\" not found", reference) }
      values = secret.secretTexts
    } else {
      return
    }
    let prefix = source["prefix"]?.string ?? ""
    var invalid: [String] = []
    for (key, value) in values {
      let variable = prefix + key
      if Self.isVariableName(variable) { result.variables[variable] = value } else { invalid.append(variable) }
    }
    guard !invalid.isEmpty else { return }
    result.warnings.append(
      "Keys [\(invalid.sorted().joined(separator: ", "))] from the EnvFrom \(kind) "
        + "\(fields.pod.namespace ?? "")/\(name) were skipped since they are considered invalid environment variable names."
    )
  }

  /// The value of one of `env`. `nil` if what it refers to is optional and not there.
  private func value(
    of variable: JSONValue, _ container: Container, seeing own: [String: String], _ services: [String: String]
  ) throws(ContainerConfigError) -> String? {
    if let value = variable["value"]?.string, !value.isEmpty {
      return value.expanded { own[$0] ?? services[$0] }
    }
    guard let source = variable["valueFrom"] else { return "" }
    let namespace = fields.pod.namespace ?? ""
    if let field = source[path: "fieldRef", "fieldPath"]?.string {
      guard let value = fields.value(of: field) else {
        throw ContainerConfigError(message: "unsupported fieldPath: \(field)")
      }
      return value
    }
    if let selector = source["resourceFieldRef"] {
      guard let value = fields.value(ofResource: selector, container: container.name) else {
        throw ContainerConfigError(
          message: "unsupported container resource : \(selector["resource"]?.string ?? "")")
      }
      return value
    }
    if let reference = source["configMapKeyRef"] {
      let (name, key) = (reference["name"]?.string ?? "", reference["key"]?.string ?? "")
      guard let map = configMap(name) else {
        try refuse("configmap \"\(name)\" not found", reference)
        return nil
      }
      if let value = map.json[path: "data", key]?.string { return value }
      try refuse("couldn't find key \(key) in ConfigMap \(namespace)/\(name)", reference)
      return nil
    }
    if let reference = source["secretKeyRef"] {
      let (name, key) = (reference["name"]?.string ?? "", reference["key"]?.string ?? "")
      guard let secret = secret(name) else {
        try refuse("secret \"\(name)\" not found", reference)
        return nil
      }
      if let value = secret.secretTexts[key] { return value }
      try refuse("couldn't find key \(key) in Secret \(namespace)/\(name)", reference)
      return nil
    }
    return ""
  }

  private func refuse(_ message: String, _ reference: JSONValue) throws(ContainerConfigError) {
    if reference["optional"]?.bool != true { throw ContainerConfigError(message: message) }
  }

  /// Whether a variable can have a name: letters, digits, `_`, `-` and `.`, no digit first.
  static func isVariableName(_ name: String) -> Bool {
    guard let first = name.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return name != "." && !name.hasPrefix("..")
      && name.unicodeScalars.allSatisfy { scalar in
        switch scalar {
        case "a"..."z", "A"..."Z", "0"..."9", "_", "-", ".": true
        default: false
        }
      }
  }
}

extension KubeObject {
  /// The values of a Secret, decoded.
  var secretBytes: [String: [UInt8]] {
    (json["data"]?.stringMap ?? [:]).compactMapValues { Data(base64Encoded: $0).map(Array.init) }
  }

  /// The values of a Secret as text.
  var secretTexts: [String: String] { secretBytes.mapValues { String(decoding: $0, as: UTF8.self) } }
}

/// The variables by which a container finds services.
struct ServiceVariables: Sendable {
  /// The variables.
  private(set) var variables: [String: String] = [:]

  /// The variables for a pod.
  ///
  /// - Parameters:
  ///   - services: the services of all namespaces that matter.
  ///   - namespace: the pod's namespace.
  ///   - withLinks: whether it gets more than those of the API server.
  init(of services: [KubeObject], inNamespace namespace: String, withLinks: Bool) {
    for service in services {
      let isServer = service.namespace == "default" && service.name == "kubernetes"
      guard isServer || withLinks && service.namespace == namespace else { continue }
      // The namespace's own service of that name takes the place of the API server's.
      if isServer, namespace != "default", withLinks,
        services.contains(where: { $0.namespace == namespace && $0.name == "kubernetes" && $0.clusterIP != nil })
      {
        continue
      }
      add(service)
    }
  }

  private mutating func add(_ service: KubeObject) {
    guard let address = service.clusterIP, let ports = service.spec["ports"]?.array, let first = ports.first else {
      return
    }
    let prefix = Self.variable(service.name)
    variables["\(prefix)_SERVICE_HOST"] = address
    variables["\(prefix)_SERVICE_PORT"] = "\(first["port"]?.int ?? 0)"
    for (index, port) in ports.enumerated() {
      let number = port["port"]?.int ?? 0
      let transport = port["protocol"]?.string ?? "TCP"
      if let name = port["name"]?.string, !name.isEmpty {
        variables["\(prefix)_SERVICE_PORT_\(Self.variable(name))"] = "\(number)"
      }
      let url = "\(transport.lowercased())://\(address):\(number)"
      if index == 0 { variables["\(prefix)_PORT"] = url }
      let link = "\(prefix)_PORT_\(number)_\(transport.uppercased())"
      variables[link] = url
      variables[link + "_PROTO"] = transport.lowercased()
      variables[link + "_PORT"] = "\(number)"
      variables[link + "_ADDR"] = address
    }
  }

  private static func variable(_ name: String) -> String { name.uppercased().replacing("-", with: "_") }
}

extension KubeObject {
  /// A service's address. `nil` if the service has none: it is headless or stands for a name.
  var clusterIP: String? {
    guard let address = spec["clusterIP"]?.string, !address.isEmpty, address != "None" else { return nil }
    return address
  }
}
