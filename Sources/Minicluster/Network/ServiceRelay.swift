// The ports of ClusterIPs: a listener for each port that has ready endpoints, and a relay from each connection to one of
// them in turn. It stands in for kube-proxy's rules of the packet filter, which a user namespace may lack. The endpoints
// see the node's address as their client's.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Relays connections to services.
package final class ServiceRelay: Sendable {
  private let store: ObjectStore
  private let addresses: any LoopbackAddresses
  private let excluded: Set<String>
  private let events: KubeletEvents
  /// Happens whenever a listener has begun or ended.
  let progress = Pulse()

  /// A relay that does not run yet.
  ///
  /// - Parameters:
  ///   - store: the cluster's objects.
  ///   - network: the node's network.
  ///   - resolver: the address of the cluster's resolver, which listens there itself.
  package convenience init(store: ObjectStore, network: PodNetwork, resolver: String = "10.98.0.10") {
    self.init(store: store, addresses: network, excluding: [resolver])
  }

  init(store: ObjectStore, addresses: any LoopbackAddresses, excluding excluded: Set<String>) {
    self.store = store
    self.addresses = addresses
    self.excluded = excluded
    events = KubeletEvents(store: store)
  }

  /// Relays connections until the task is cancelled.
  ///
  /// - Throws: if the changes of services are forgotten before they were read.
  package func run() async throws(APIFailure) {
    let changes = [try store.watch(.service, in: nil), try store.watch(.endpoints, in: nil)]
    let (merged, continuation) = AsyncStream.makeStream(of: ObjectStore.Change.self)
    await withDiscardingTaskGroup { group in
      for stream in changes {
        group.addTask { for await change in stream { continuation.yield(change) } }
      }
      var table = RelayTable(excluding: excluded)
      var (present, listeners): (Set<String>, [RelayTable.Port: ServiceListener]) = ([], [:])
      for await change in merged {
        table.apply(change)
        let addresses = table.addresses
        for address in addresses.subtracting(present) {
          if await add(address) { present.insert(address) }
        }
        let ports = table.ports
        for (port, listener) in listeners where ports[port] == nil {
          listeners[port] = nil
          await listener.close()
          progress.send()
        }
        for (port, targets) in ports where present.contains(port.address) {
          if let listener = listeners[port] {
            listener.targets.withLock { $0 = targets }
            continue
          }
          let listener = ServiceListener(port: port, targets: targets)
          do {
            try await listener.open()
            listeners[port] = listener
          } catch {
            report("port \(port.number) cannot be listened on: \(error)", of: port.address)
          }
          progress.send()
        }
        for address in present.subtracting(addresses) {
          present.remove(address)
          await remove(address)
        }
      }
      for listener in listeners.values { await listener.close() }
    }
  }

  private func add(_ address: String) async -> Bool {
    do {
      try await addresses.add(serviceAddress: address)
      return true
    } catch {
      report("the address cannot be added: \(error)", of: address)
      return false
    }
  }

  private func remove(_ address: String) async {
    do {
      try await addresses.remove(serviceAddress: address)
    } catch {
      report("the address cannot be removed: \(error)", of: address)
    }
  }

  /// Reports what went wrong as an event on the service of an address.
  private func report(_ problem: String, of address: String) {
    guard let service = store.list(.service, in: nil).objects.first(where: { $0.clusterIP == address }) else { return }
    events.report(.warning, "FailedRelay", "\(address): \(problem)", on: service, by: "minicluster-relay")
  }
}

/// Listens on one port of a service.
private final class ServiceListener: Sendable {
  private let port: RelayTable.Port
  /// The endpoints, for connections from now on.
  let targets: Mutex<[RelayTable.Target]>
  private let turn = Atomic(0)
  private let channel = Mutex<(any Channel)?>(nil)

  init(port: RelayTable.Port, targets: [RelayTable.Target]) {
    self.port = port
    self.targets = Mutex(targets)
  }

  /// How long an endpoint has to answer: all of them are on this machine.
  private static let patience = TimeAmount.seconds(1)

  func open() async throws {
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { [self] channel in relay(channel) }
      .bind(host: port.address, port: port.number).get()
    self.channel.withLock { $0 = channel }
  }

  /// Ends listening. Connections go on.
  func close() async {
    // Fails only for a listener that is closed already.
    try? await channel.withLock { $0 }?.close()
  }

  /// The endpoint whose turn it is.
  ///
  /// - Parameter tried: endpoints that are not there any more. kube-proxy forgets them before anybody connects to them;
  ///   here one may be known for a moment longer.
  private func next(after tried: Set<RelayTable.Target>) -> RelayTable.Target? {
    let number = turn.wrappingAdd(1, ordering: .relaxed).oldValue
    return targets.withLock { targets in
      let left = tried.isEmpty ? targets : targets.filter { !tried.contains($0) }
      return left.isEmpty ? nil : left[number % left.count]
    }
  }

  /// Connects an accepted connection with an endpoint.
  ///
  /// - Parameter tried: endpoints that did not answer.
  private func relay(
    _ accepted: any Channel, after tried: Set<RelayTable.Target> = []
  ) -> EventLoopFuture<Void> {
    guard let target = next(after: tried) else { return refused(accepted, ChannelError.eof) }
    let address: SocketAddress
    do {
      address = try SocketAddress(ipAddress: target.address, port: target.port)
    } catch {
      return refused(accepted, error)
    }
    let (near, far) = RelayHandler.pair()
    // Both channels are on the loop that this runs on.
    let sides = NIOLoopBound((near: near, far: far), eventLoop: accepted.eventLoop)
    return ClientBootstrap(group: accepted.eventLoop)
      .connectTimeout(Self.patience)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(sides.value.far) }
      }
      .connect(to: address)
      .flatMapThrowing { connected in
        do {
          try accepted.pipeline.syncOperations.addHandler(sides.value.near)
        } catch {
          // The client has gone.
          connected.close(promise: nil)
          throw error
        }
      }
      .flatMapError { [self] error in
        Self.isGone(error) ? relay(accepted, after: tried.union([target])) : refused(accepted, error)
      }
  }

  /// Whether nobody answers at an address, as at that of a pod that is gone. Who refuses, answers.
  private static func isGone(_ error: any Error) -> Bool {
    if case ChannelError.connectTimeout? = error as? ChannelError { return true }
    return [EHOSTUNREACH, ENETUNREACH, ETIMEDOUT].contains((error as? IOError)?.errnoCode)
  }

  /// Breaks a connection off as one that nobody answers: by a reset.
  private func refused(_ accepted: any Channel, _ error: any Error) -> EventLoopFuture<Void> {
    guard let options = accepted as? any SocketOptionProvider else {
      return accepted.eventLoop.makeFailedFuture(error)
    }
    return options.setSoLinger(linger(l_onoff: 1, l_linger: 0)).flatMapThrowing { throw error }
  }
}
