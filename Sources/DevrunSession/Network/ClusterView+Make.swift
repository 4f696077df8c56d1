internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import DevrunTunnel

extension ClusterView {
  /// The view of a session: the cluster's services, those that the file asks for, and this machine's hosts file.
  ///
  /// - Parameter container: the container's variables, which name the API server.
  static func make(
    session: Session, services: [JSONValue], domain: String, container: EnvironmentVariables,
    directory: SessionDirectory
  ) throws -> ClusterView {
    var book = AddressBook(namespace: session.access.namespace, domain: domain)
    for service in services { book.update(service) }
    for reference in session.options.localEnv.serviceReferences {
      let key = AddressBook.Key(namespace: reference.namespace ?? session.access.namespace, name: reference.name)
      if book.entries[key] == nil {
        session.observer.tell(
          .warning(
            ErrorMessage(
              "there is no service \(key.name) in namespace \(key.namespace), or you may not list it",
              why: "\(reference.position) asks for it; it has an"
                + " address all the same, and works as soon as the service appears")))
      }
      book.request(key)
    }
    var endpoints: Set<IPAddress> = []
    for reference in session.options.localEnv.endpointReferences {
      if let address = IPAddress(reference.host) {
        endpoints.insert(address)
      } else {
        book.request(host: reference.host)
      }
    }
    let server = container["KUBERNETES_SERVICE_HOST"].flatMap { IPAddress($0.description) }
    let fixed = Set([server].compactMap { $0 })
    return ClusterView(
      book: book, hosts: HostsFile(machine: NameService.read("/etc/hosts"), hostname: session.hostname),
      directory: directory, fixed: fixed.union(endpoints))
  }
}

extension AgentInfo {
  /// The cluster's domain, as the search list of the pod's resolv.conf(5) tells it: `svc.DOMAIN` is in it.
  var clusterDomain: String {
    for line in resolvConf.split(separator: "\n") {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.first == "search" || fields.first == "domain" else { continue }
      if let domain = fields.dropFirst().first(where: { $0.hasPrefix("svc.") }) { return String(domain.dropFirst(4)) }
    }
    return "cluster.local"
  }
}
