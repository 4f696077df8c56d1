package import DevrunCore
package import DevrunPlan
internal import DevrunTunnel
internal import NIOCore

/// One connection of the child to the cluster, from its connect on.
///
/// The order of calls is: `acceptor()`, perhaps `outcome()`, then `attach` once the child's socket is connected, or
/// `cancel()`.
package final class TunnelAttempt: OutboundAttempt {
  private let owner: OutboundAcceptor
  private let address: IPAddress
  private let dial: PendingStream<any Channel>

  init(acceptor: OutboundAcceptor, address: IPAddress, dial: PendingStream<any Channel>) {
    self.owner = acceptor
    self.address = address
    self.dial = dial
  }

  /// Where the child's socket is to be connected.
  ///
  /// - Throws: an error of NIO or `OutboundAcceptorError` if no listener can be made there.
  package func acceptor() async throws -> IPEndpoint {
    try await owner.endpoint(at: address).get()
  }

  /// Waits for the far end, without a bound of its own: the agent bounds the dial.
  package func outcome() async -> DialOutcome {
    do {
      _ = try await dial.stream.get()
      return .connected
    } catch {
      return .failed((error as? DialError ?? .tunnelClosed).errno)
    }
  }

  /// The child's socket, bound to this local endpoint, has been connected to the acceptor: it belongs to this attempt.
  ///
  /// If the dial comes to nothing the connection is reset.
  package func attach(_ local: IPEndpoint) {
    owner.endpoint(at: address).whenComplete { [self] result in
      switch result {
      case .success(let acceptor): owner.announce(self, at: PairingKey(acceptor: acceptor, local: local))
      case .failure: cancel()
      }
    }
  }

  /// Drops the dial, and resets the connection that it has led to. To be called when the caller is gone or got another
  /// answer.
  package func cancel() { dial.cancel() }

  /// Joins the child's connection with the far end, as soon as that is there. On the event loop only.
  func join(_ connection: any Channel) {
    dial.join(connection)
  }
}
