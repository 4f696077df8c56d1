internal import DevrunCore
internal import DevrunKube
package import DevrunPlan
internal import Synchronization

/// The cluster's services as the child sees them: the names in its hosts file, the addresses that are redirected, and
/// the destinations behind them. It follows the cluster while the child runs.
package final class ClusterView: Sendable {
  /// The addresses whose connections are redirected; the launcher reads it.
  package let redirected: RedirectTable
  private let state: Mutex<State>
  private let hosts: HostsFile
  private let directory: SessionDirectory
  /// The addresses of this machine.
  let machine: Set<IPAddress>
  /// Held while lines are appended to the hosts file.
  private let appending = Mutex(())

  private struct State {
    var book: AddressBook
    var pods = PodAddresses()
    /// The addresses that are redirected, each with the number of its reasons.
    var counted = CountedAddresses()

    /// Applies changes of the pods' addresses, and those of the book.
    mutating func settle(_ changes: AddressChanges, in table: RedirectTable) {
      var all = book.takeChanges()
      all.append(changes)
      let effect = counted.apply(all)
      table.update(inserting: effect.inserted, removing: effect.removed)
    }
  }

  /// The name of the private hosts file in the session's folder.
  package static let hostsFileName = "hosts"

  /// A view with nothing but what the file asks for.
  ///
  /// - Parameters:
  ///   - fixed: addresses of the cluster that are redirected whether a service has them or not, such as the API server's,
  ///     which the container's environment names.
  ///   - machine: the addresses of this machine.
  ///   - networks: networks whose addresses are redirected, beside the local one of the names.
  init(
    book: AddressBook, hosts: HostsFile, directory: SessionDirectory, fixed: Set<IPAddress>,
    machine: Set<IPAddress> = [], networks: [IPNetwork] = []
  ) {
    self.hosts = hosts
    self.machine = machine
    self.directory = directory
    let table = RedirectTable(networks: networks + [LocalAddresses.network6].compactMap { $0 })
    self.redirected = table
    var state = State(book: book)
    state.settle(AddressChanges(inserted: Array(fixed)), in: table)
    self.state = Mutex(state)
  }

  /// Writes the hosts file anew.
  ///
  /// - Returns: its path.
  /// - Throws: `ViewError.noSessionDirectory`
  package func writeHosts() throws -> String {
    try directory.write(Self.hostsFileName, hostsText)
  }

  /// The text of the hosts file.
  var hostsText: String { hosts.text(state.withLock(\.book)) }

  /// The services known now.
  package var services: [AddressBook.Key: AddressBook.Entry] { state.withLock { $0.book.entries } }

  /// The names of the pods that have names of their own.
  var podNames: [String] { state.withLock { $0.book.pods.values.flatMap(\.names).sorted() } }

  /// The local address of a service.
  func address(of key: AddressBook.Key) -> IPAddress? { services[key]?.local }

  /// Where a connection goes: the host that the agent is to dial. An address that is no service's is dialled as it is.
  func destination(of address: IPAddress) -> String {
    state.withLock { $0.book.destination(of: address) } ?? address.description
  }

  /// Adds hosts outside of the cluster before the child runs: the hosts file is yet to be written.
  func load(hosts names: [String]) {
    state.withLock { state in
      for name in names { state.book.request(host: name) }
      state.settle(AddressChanges(), in: redirected)
    }
  }

  /// How many addresses are redirected.
  package var redirectedCount: Int { state.withLock(\.counted.count) }

  /// Leaves the addresses of nodes, and other ways of this machine, out of the addresses of pods.
  func excludeFromPods(_ addresses: some Sequence<IPAddress>) {
    state.withLock { state in
      let changes = state.pods.exclude(addresses)
      state.settle(changes, in: redirected)
    }
  }

  /// Adds addresses before the child runs: the hosts file is yet to be written.
  ///
  /// - Parameter namespace: the namespace that they were read from; `nil` for all.
  func load(_ event: AddressEvent, from namespace: String?) { _ = fresh(event, namespace) }

  /// Applies an event of the watches of Endpoints and pods while the child runs: new names are appended to its hosts file.
  ///
  /// - Parameter namespace: the namespace that is watched; `nil` for all.
  /// - Throws: `ViewError.noSessionDirectory`
  func apply(_ event: AddressEvent, from namespace: String?) throws(ViewError) { try append(fresh(event, namespace)) }

  private func fresh(_ event: AddressEvent, _ namespace: String?) -> [AddressBook.Entry] {
    state.withLock { state in
      let fresh = state.book.apply(event, from: namespace).compactMap { state.book.pods[$0] }
      let changes = state.pods.apply(event, from: namespace)
      state.settle(changes, in: redirected)
      return fresh
    }
  }

  /// Applies an event of the watch of services while the child runs: new names are appended to its hosts file.
  ///
  /// - Throws: `ViewError.noSessionDirectory`
  func apply(_ event: WatchEvent, from namespace: String?) throws {
    let fresh = state.withLock { state -> [AddressBook.Entry] in
      var keys: [AddressBook.Key] = []
      func update(_ service: KubeObject) {
        if state.book.update(service), let key = AddressBook.key(of: service) { keys.append(key) }
      }
      switch event {
      case .snapshot(let services):
        services.forEach(update)
        state.book.retain(Set(services.compactMap(AddressBook.key)), in: namespace)
      case .added(let service), .modified(let service): update(service)
      case .deleted(let service): state.book.remove(service)
      }
      state.settle(AddressChanges(), in: redirected)
      return keys.sorted().compactMap { state.book.entries[$0] }
    }
    try append(fresh)
  }

  private func append(_ fresh: [AddressBook.Entry]) throws(ViewError) {
    if fresh.isEmpty { return }
    try appending.withLock { (_: inout Void) throws(ViewError) in
      try directory.append(lines: hosts.addition(fresh), to: Self.hostsFileName)
    }
  }
}
