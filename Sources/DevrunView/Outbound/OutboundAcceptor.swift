package import DevrunCore
package import DevrunTunnel
package import NIOCore

/// Where the child's connections to the cluster arrive: local listeners, each connection joined to a dial of the
/// tunnel.
///
/// There is one listener per local address, made when it is first asked for, at a port that the kernel chooses. Only
/// connections that were announced (`TunnelAttempt.attach`) are served. They come from this machine, because the listeners are
/// at loopback addresses; but they may come from any of its addresses, to which a program can bind its sockets.
package final class OutboundAcceptor: Sendable {
  /// How long things wait for each other.
  package struct Patience: Sendable {
    /// A connection that nobody has announced.
    package var unannounced: TimeAmount = .seconds(2)
    /// An announced connection that has not come.
    package var missing: TimeAmount = .seconds(30)

    /// The usual times.
    package init() {}
  }

  private struct State {
    var listeners: [IPAddress: EventLoopFuture<any Channel>] = [:]
    var pairs = PairingTable<any Channel, TunnelAttempt>()
    var closed = false
  }

  /// The event loop of the listeners and of every tunnel that is dialled through.
  package let eventLoop: any EventLoop
  private let limits: ConnectionLimits
  private let patience: Patience
  private let state: NIOLoopBoundBox<State>

  /// An acceptor without any listener yet.
  ///
  /// - Parameter eventLoop: the event loop of the tunnels.
  package init(
    on eventLoop: any EventLoop, limits: ConnectionLimits = .unconstrained, patience: Patience = Patience()
  ) {
    self.eventLoop = eventLoop
    self.limits = limits
    self.patience = patience
    self.state = .makeBoxSendingValue(State(), eventLoop: eventLoop)
  }

  /// Starts a dial at once and returns without waiting.
  ///
  /// - Parameters:
  ///   - address: the loopback address whose listener the child's socket is to be connected to.
  ///   - host: what is dialled in the cluster, a name or an address.
  ///   - port: the port there.
  ///   - tunnel: the tunnel that is dialled through, on this acceptor's event loop.
  package func begin(at address: IPAddress, host: String, port: Int, through tunnel: Tunnel) -> TunnelAttempt {
    let dial =
      tunnel.eventLoop === eventLoop
      ? tunnel.startDial(Authority(host: host, port: port))
      : PendingStream(
        stream: eventLoop.makeFailedFuture(DialError.failed(.refused("the tunnel is on another event loop"))),
        cancel: {})
    return TunnelAttempt(acceptor: self, address: address, dial: dial)
  }

  /// Closes the listeners and the connections that nobody has announced. Joined connections are the tunnel's.
  package func close() async {
    await withCheckedContinuation { (done: CheckedContinuation<Void, Never>) in
      eventLoop.execute { [self] in
        let listeners = Array(state.value.listeners.values)
        state.value.listeners = [:]
        state.value.closed = true
        for connection in state.value.pairs.removeAllConnections() { reset(connection) }
        let closing = listeners.map { listener in
          listener.flatMap { channel in
            channel.close(promise: nil)
            return channel.closeFuture
          }
        }
        EventLoopFuture.andAllComplete(closing, on: eventLoop).whenComplete { _ in done.resume() }
      }
    }
  }

  // MARK: Listeners

  /// The endpoint of the listener at an address, which is made now if need be.
  func endpoint(at address: IPAddress) -> EventLoopFuture<IPEndpoint> {
    eventLoop.flatSubmit { [self] in
      if state.value.closed { return eventLoop.makeFailedFuture(DialError.tunnelClosed) }
      let listener = state.value.listeners[address] ?? listen(at: address)
      return listener.flatMapThrowing { channel in
        guard let endpoint = channel.localAddress.flatMap(IPEndpoint.init) else {
          throw ChannelError.unknownLocalAddress
        }
        return endpoint
      }
    }
  }

  private func listen(at address: IPAddress) -> EventLoopFuture<any Channel> {
    let listener = eventLoop.makeCompletedFuture {
      guard address.isLoopback else { throw OutboundAcceptorError.notLoopback(address) }
      return try SocketAddress(ipAddress: address.description, port: 0)
    }.flatMap { [self] (place: SocketAddress) in
      StreamSocket.listen(on: place, eventLoop: eventLoop, limits: limits) { [weak self] connection in
        self?.accept(connection)
      }
    }
    state.value.listeners[address] = listener
    // A failure (no IPv6 here, no descriptor left) is for whoever asked; the next one tries again.
    listener.whenFailure { [state] _ in state.value.listeners[address] = nil }
    return listener
  }

  // MARK: Pairs

  private func accept(_ connection: any Channel) {
    guard let acceptor = connection.localAddress.flatMap(IPEndpoint.init),
      let local = connection.remoteAddress.flatMap(IPEndpoint.init), !state.value.closed
    else { return reset(connection) }
    let key = PairingKey(acceptor: acceptor, local: local)
    switch state.value.pairs.accept(connection, at: key) {
    case .paired(let attempt): attempt.join(connection)
    case .waits(let ticket, let obsolete):
      obsolete.map(reset)
      let expire = eventLoop.scheduleTask(in: patience.unannounced) { [weak self] in
        guard let self, let connection = state.value.pairs.expireConnection(at: key, ticket: ticket) else { return }
        reset(connection)
      }
      connection.closeFuture.whenComplete { [weak self] _ in
        expire.cancel()
        _ = self?.state.value.pairs.expireConnection(at: key, ticket: ticket)
      }
    }
  }

  /// Announces the connection of an attempt. On the event loop only.
  func announce(_ attempt: TunnelAttempt, at key: PairingKey) {
    guard !state.value.closed else { return attempt.cancel() }
    switch state.value.pairs.announce(attempt, at: key) {
    case .paired(let connection): attempt.join(connection)
    case .waits(let ticket, let obsolete):
      obsolete?.cancel()
      _ = eventLoop.scheduleTask(in: patience.missing) { [weak self] in
        self?.state.value.pairs.expireAnnouncement(at: key, ticket: ticket)?.cancel()
      }
    }
  }

  private func reset(_ connection: any Channel) {
    connection.triggerUserOutboundEvent(StreamReset(), promise: nil)
  }
}

/// Why there is no listener for the child's connections.
package enum OutboundAcceptorError: UserFacingError, Hashable {
  /// The address is not one of this machine's loopback addresses, so others could reach a listener on it.
  case notLoopback(IPAddress)

  /// The message for the user.
  package var message: ErrorMessage {
    switch self {
    case .notLoopback(let address): ErrorMessage("\(address) is no loopback address to take connections at")
    }
  }
}

extension IPEndpoint {
  /// The endpoint of an IP socket's address; `nil` for any other address.
  init?(_ address: SocketAddress) {
    guard let ip = address.ipAddress.flatMap({ IPAddress($0) }), let port = address.port.flatMap(UInt16.init(exactly:))
    else { return nil }
    self.init(ip, port: port)
  }
}
