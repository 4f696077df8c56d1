package import DevrunAgentAPI
package import DevrunConfig
package import DevrunCore
package import DevrunKube
package import DevrunSystem

extension ClusterView {
  /// The view of a session: the cluster's services, those that the file asks for, and this machine's hosts file.
  ///
  /// - Parameters:
  ///   - services: the services that there are.
  ///   - addresses: the addresses of pods, as far as they are known yet.
  ///   - pod: the session's pod, whose own hosts file has names, too.
  ///   - localEnv: the files that name services and hosts.
  ///   - namespace: the namespace whose services have short names.
  ///   - domain: the cluster's domain.
  ///   - container: the container's variables, which name the API server.
  ///   - hostname: this machine's name.
  ///   - directory: where the hosts file will be.
  ///   - reporter: who gets the news.
  package static func make(
    of services: [KubeObject], addresses: AddressListing?, pod: KubeObject, localEnv: LocalEnvFile, namespace: String,
    domain: String,
    container: EnvironmentVariables, hostname: String, directory: SessionDirectory, reporter: any Reporter
  ) -> ClusterView {
    var book = AddressBook(namespace: namespace, domain: domain)
    for service in services { book.update(service) }
    for reference in localEnv.serviceReferences {
      let key = AddressBook.Key(namespace: reference.namespace ?? namespace, name: reference.name)
      if book.entries[key] == nil {
        reporter.report(
          .warning(
            ErrorMessage(
              "there is no service \(key.name) in namespace \(key.namespace), or you may not list it",
              why: "\(reference.position) asks for it; it has an"
                + " address all the same, and works as soon as the service appears")))
      }
      book.request(key)
    }
    var fixed: Set<IPAddress> = []
    for reference in localEnv.endpointReferences where !reference.isOfPod {
      if let address = IPAddress(reference.host) {
        fixed.insert(address)
      } else {
        book.request(host: reference.host)
      }
    }
    if let server = container["KUBERNETES_SERVICE_HOST"].flatMap({ IPAddress($0.description) }) { fixed.insert(server) }
    let podHosts = PodHosts(of: pod, domain: domain)
    if let node = podHosts.node, node != hostname { book.request(host: node) }
    let machine = machineAddresses(reporter)
    // What is this machine here is not looked for in the cluster.
    fixed.formUnion(podHosts.redirected.filter { !machine.contains($0) })
    let hosts = HostsFile(
      machine: NameService.read("/etc/hosts"), hostname: hostname, pod: podHosts,
      hasIPv6: MachineAddresses.hasIPv6Sockets)
    let view = ClusterView(book: book, hosts: hosts, directory: directory, fixed: fixed, machine: machine)
    view.excludeFromPods(machine)
    if let addresses { view.load(addresses) }
    return view
  }

  private static func machineAddresses(_ reporter: any Reporter) -> Set<IPAddress> {
    do {
      return try MachineAddresses.read()
    } catch {
      reporter.report(.detail("this machine's own addresses are not known: \(error)"))
      return []
    }
  }
}

extension AgentInfo {
  /// The cluster's domain, from the search list of the pod's resolv.conf(5): `svc.DOMAIN` is in it.
  package var clusterDomain: String {
    for line in resolvConf.split(separator: "\n") {
      let fields = line.split(whereSeparator: \.isWhitespace)
      guard fields.first == "search" || fields.first == "domain" else { continue }
      if let domain = fields.dropFirst().first(where: { $0.hasPrefix("svc.") }) { return String(domain.dropFirst(4)) }
    }
    return "cluster.local"
  }
}
