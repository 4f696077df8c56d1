internal import DevrunCore
internal import DevrunKube

extension Table {
  /// Services.
  static let services = Table([
    Column("Name"), Column("Type"), Column("Cluster-IP"), Column("External-IP"), Column("Port(s)"), Column("Age"),
    Column("Selector", isWide: true),
  ]) { service in
    let isExternal = service.spec["type"]?.string == "ExternalName"
    return [
      .string(service.name), text(service.spec["type"]?.string), text(service.spec["clusterIP"]?.string),
      text(
        isExternal
          ? [service.spec["externalName"]?.string ?? ""]
          : (service.spec["externalIPs"]?.array ?? []).compactMap(\.string)),
      text((service.spec["ports"]?.array ?? []).map(port)), age(of: service),
      text(service.spec["selector"]?.stringMap),
    ]
  }

  private static func port(_ port: JSONValue) -> String {
    let node = port["nodePort"]?.int.map { ":\($0)" } ?? ""
    return "\(port["port"]?.int ?? 0)\(node)/\(port["protocol"]?.string ?? "TCP")"
  }

  /// Endpoints.
  static let endpoints = Table([Column("Name"), Column("Endpoints"), Column("Age")]) { endpoints in
    let all = (endpoints.json["subsets"]?.array ?? []).flatMap { subset -> [String] in
      let addresses = (subset["addresses"]?.array ?? []).compactMap { $0["ip"]?.string }
      let ports = (subset["ports"]?.array ?? []).compactMap { $0["port"]?.int }
      return ports.isEmpty ? addresses : ports.flatMap { port in addresses.map { "\($0):\(port)" } }
    }
    return [.string(endpoints.name), text(shortened(all)), age(of: endpoints)]
  }

  /// EndpointSlices.
  static let endpointSlices = Table([
    Column("Name"), Column("AddressType"), Column("Ports"), Column("Endpoints"), Column("Age"),
  ]) { slice in
    let ports = (slice.json["ports"]?.array ?? []).map { $0["port"]?.int.map { String($0) } ?? "*" }
    let addresses = (slice.json["endpoints"]?.array ?? []).flatMap { $0["addresses"]?.array ?? [] }
    return [
      .string(slice.name), text(slice.json["addressType"]?.string), unset(shortened(ports)),
      unset(shortened(addresses.compactMap(\.string))), age(of: slice),
    ]
  }

  /// NetworkPolicies.
  static let networkPolicies = Table([Column("Name"), Column("Pod-Selector"), Column("Age")]) { policy in
    [.string(policy.name), text(LabelSelector.text(of: policy.spec["podSelector"] ?? [:])), age(of: policy)]
  }

  /// At most three of many.
  private static func shortened(_ texts: [String]) -> String {
    let more = texts.count - 3
    return texts.prefix(3).joined(separator: ",") + (more > 0 ? " + \(more) more..." : "")
  }

  private static func unset(_ text: String) -> JSONValue { .string(text.isEmpty ? "<unset>" : text) }
}
