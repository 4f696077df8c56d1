internal import DevrunCore
internal import DevrunKube
package import DevrunPlan
internal import Synchronization

/// The cluster's services as the child sees them: the names in its hosts file, the addresses that are redirected, and
/// the destinations behind them. It follows the cluster while the child runs.
package final class ClusterView: Sendable {
  /// The addresses whose connections are redirected; the launcher reads it.
  package let redirected: RedirectTable
  private let book: Mutex<AddressBook>
  private let hosts: HostsFile
  private let directory: SessionDirectory
  private let fixed: Set<IPAddress>
  private let pods = Mutex(PodAddresses())

  /// The name of the private hosts file in the session's folder.
  package static let hostsFileName = "hosts"

  /// A view with nothing but what the file asks for.
  ///
  /// - Parameter fixed: addresses of the cluster that are redirected whether a service has them or not: the API
  ///   server's, which the container's environment names.
  init(book: AddressBook, hosts: HostsFile, directory: SessionDirectory, fixed: Set<IPAddress>) {
    self.book = Mutex(book)
    self.hosts = hosts
    self.directory = directory
    self.fixed = fixed
    self.redirected = RedirectTable(addresses: book.addresses.union(fixed))
  }

  /// Writes the hosts file anew.
  ///
  /// - Returns: its path.
  /// - Throws: `ViewError.noSessionDirectory`
  package func writeHosts() throws -> String {
    let text = book.withLock { hosts.text($0) }
    return try directory.write(Self.hostsFileName, text)
  }

  /// The services known now.
  package var services: [AddressBook.Key: AddressBook.Entry] { book.withLock { $0.entries } }

  /// The local address of a service.
  func address(of key: AddressBook.Key) -> IPAddress? { services[key]?.local }

  /// Where a connection goes: the host that the agent is to dial. An address that is no service's is dialled as it is.
  func destination(of address: IPAddress) -> String {
    book.withLock { $0.destination(of: address) } ?? address.description
  }

  /// Adds services before the child runs: the hosts file is yet to be written.
  func load(_ services: [KubeObject]) {
    let addresses = book.withLock { book in
      for service in services { book.update(service) }
      return book.addresses
    }
    redirect(addresses)
  }

  /// Applies an event of the watch of Endpoints: the addresses of the pods behind services (`PodAddresses`).
  ///
  /// - Parameter namespace: the namespace that is watched; `nil` for all.
  func applyEndpoints(_ event: WatchEvent, from namespace: String?) {
    pods.withLock { $0.apply(event, from: namespace) }
    redirect(book.withLock(\.addresses))
  }

  /// Leaves the addresses of nodes, and other ways of this machine, out of what Endpoints name.
  func excludeFromPods(_ addresses: some Sequence<IPAddress>) {
    pods.withLock { $0.exclude(addresses) }
    redirect(book.withLock(\.addresses))
  }

  /// How many addresses are redirected.
  package var redirectedCount: Int { allAddresses(book.withLock(\.addresses)).count }

  private func allAddresses(_ services: Set<IPAddress>) -> Set<IPAddress> {
    pods.withLock(\.addresses).union(services).union(fixed)
  }

  private func redirect(_ addresses: Set<IPAddress>) {
    redirected.replace(addresses: allAddresses(addresses), networks: [])
  }

  /// Applies an event of the watch while the child runs: new names are appended to its hosts file.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func apply(_ event: WatchEvent, from namespace: String?) throws {
    let (fresh, addresses) = book.withLock { book -> ([AddressBook.Key: AddressBook.Entry], Set<IPAddress>) in
      var keys: [AddressBook.Key] = []
      func update(_ service: KubeObject) {
        if book.update(service), let key = AddressBook.key(of: service) { keys.append(key) }
      }
      switch event {
      case .snapshot(let services):
        services.forEach(update)
        book.retain(Set(services.compactMap(AddressBook.key)), in: namespace)
      case .added(let service), .modified(let service): update(service)
      case .deleted(let service): book.remove(service)
      }
      return (book.entries.filter { keys.contains($0.key) }, book.addresses)
    }
    redirect(addresses)
    if !fresh.isEmpty { try directory.append(lines: hosts.addition(fresh), to: Self.hostsFileName) }
  }
}
