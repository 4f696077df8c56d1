// The names of a cluster
// (https://github.com/kubernetes/dns/blob/master/docs/specification.md, version 1.1.0), answered from its objects.

internal import DevrunCore
internal import DevrunKube

/// Answers questions on the names of a cluster.
struct ClusterNames {
  /// The cluster's domain.
  static let domain = "cluster.local"

  /// Reads a service.
  var service: (_ namespace: String, _ name: String) -> KubeObject?
  /// Reads the endpoints of a service.
  var endpoints: (_ namespace: String, _ name: String) -> KubeObject?
  /// Whether there is a namespace.
  var hasNamespace: (String) -> Bool

  /// An address of a service, with the ports that it has there.
  private struct Endpoint {
    var address: IPAddress
    var name: String
    var ports: [(name: String, transport: String, number: Int)]
  }

  /// The answer to a question. `nil` if the name is not one of the cluster's domain.
  func answer(to question: DNSQuestion) -> DNSAnswer? {
    let name = question.name.lowercased()
    guard name == Self.domain || name.hasSuffix("." + Self.domain) else { return nil }
    var labels = name.split(separator: ".").map(String.init)
    labels.removeLast(Self.domain.split(separator: ".").count)
    guard let records = records(labels, question) else { return absence(.noSuchName) }
    let fitting = records.all.filter { record in
      switch record.data {
      case .alias: true
      case .address(let address):
        question.type == DNSAnswer.anyType
          || question.type == (address.isIPv4 ? DNSAnswer.addressType : DNSAnswer.longAddressType)
      case .service: question.type == DNSAnswer.serviceType || question.type == DNSAnswer.anyType
      case .authority: false
      }
    }
    if fitting.isEmpty { return absence(.success) }
    return DNSAnswer(records: fitting, additional: question.type == DNSAnswer.serviceType ? records.additional : [])
  }

  private func absence(_ code: DNSAnswer.Code) -> DNSAnswer {
    DNSAnswer(
      code: code, authority: [DNSRecord(name: Self.domain, data: .authority(zone: Self.domain))])
  }

  private struct Records {
    var all: [DNSRecord] = []
    var additional: [DNSRecord] = []
  }

  /// The records of a name, whatever type is asked for. `nil` if there is no such name.
  private func records(_ labels: [String], _ question: DNSQuestion) -> Records? {
    guard let last = labels.last else { return Records() }
    let rest = Array(labels.dropLast())
    guard let namespace = rest.last else { return ["svc", "pod"].contains(last) ? Records() : nil }
    guard hasNamespace(namespace) else { return nil }
    switch (last, rest.count) {
    case ("svc", 1), ("pod", 1): return Records()
    case ("pod", 2):
      guard let address = IPAddress(rest[0].replacing("-", with: ".")) else { return nil }
      return Records(all: [DNSRecord(name: question.name, data: .address(address))])
    case ("svc", 2...4):
      guard let service = service(namespace, rest[rest.count - 2]) else { return nil }
      return records(of: service, namespace, Array(rest.dropLast(2)), question)
    default: return nil
    }
  }

  /// The records of a service, or of a name below it: a port or an endpoint.
  private func records(
    of service: KubeObject, _ namespace: String, _ below: [String], _ question: DNSQuestion
  ) -> Records? {
    let name = "\(service.name).\(namespace).svc.\(Self.domain)"
    if service.spec["type"]?.string == "ExternalName" {
      guard below.isEmpty, let target = service.spec["externalName"]?.string else { return nil }
      return Records(all: [DNSRecord(name: question.name, data: .alias(target))])
    }
    let address = service.clusterIP.flatMap { IPAddress($0) }
    switch below.count {
    case 0:
      let addresses = address.map { [$0] } ?? endpoints(of: service, namespace).map(\.address)
      return Records(all: addresses.map { DNSRecord(name: question.name, data: .address($0)) })
    case 1:
      if below[0].hasPrefix("_") { return nil }
      let own = endpoints(of: service, namespace).filter { $0.name == below[0] }
      if own.isEmpty { return nil }
      return Records(all: own.map { DNSRecord(name: question.name, data: .address($0.address)) })
    default:
      guard below[0].hasPrefix("_"), below[1].hasPrefix("_") else { return nil }
      let (port, transport) = (below[0].dropFirst(), below[1].dropFirst())
      var records = Records()
      func add(_ number: Int, _ host: String, _ address: IPAddress) {
        records.all.append(
          DNSRecord(
            name: question.name,
            data: .service(priority: 0, weight: 100, port: UInt16(clamping: number), host: host)))
        records.additional.append(DNSRecord(name: host, data: .address(address)))
      }
      if let address {
        for entry in service.spec["ports"]?.array ?? []
        where entry["name"]?.string?.lowercased() == String(port)
          && (entry["protocol"]?.string ?? "TCP").lowercased() == String(transport)
        {
          add(entry["port"]?.int ?? 0, name, address)
        }
      } else {
        for endpoint in endpoints(of: service, namespace) {
          for entry in endpoint.ports where entry.name == String(port) && entry.transport == String(transport) {
            add(entry.number, "\(endpoint.name).\(name)", endpoint.address)
          }
        }
      }
      return records.all.isEmpty ? nil : records
    }
  }

  private func endpoints(of service: KubeObject, _ namespace: String) -> [Endpoint] {
    let subsets = endpoints(namespace, service.name)?.json["subsets"]?.array ?? []
    return subsets.flatMap { subset in
      let ports = (subset["ports"]?.array ?? []).map { port in
        (
          name: port["name"]?.string?.lowercased() ?? "", transport: (port["protocol"]?.string ?? "TCP").lowercased(),
          number: port["port"]?.int ?? 0
        )
      }
      return (subset["addresses"]?.array ?? []).compactMap { address -> Endpoint? in
        guard let text = address["ip"]?.string, let ip = IPAddress(text) else { return nil }
        let name = address["hostname"]?.string?.lowercased() ?? text.replacing(".", with: "-").replacing(":", with: "-")
        return Endpoint(address: ip, name: name, ports: ports)
      }
    }
  }
}
