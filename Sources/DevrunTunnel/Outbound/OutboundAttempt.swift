public import DevrunCore
internal import NIOCore

/// One connection of the child to the cluster, from its connect on.
///
/// The order of calls is: `acceptor()`, perhaps `outcome()`, then `attach` once the child's socket is connected, or
/// `cancel()`.
public final class OutboundAttempt: Sendable {
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
  public func acceptor() async throws -> IPEndpoint {
    try await owner.endpoint(at: address).get()
  }

  /// Waits for the far end.
  ///
  /// - Returns: `nil` when it is connected; otherwise the errno that connect(2) is to return.
  public func outcome() async -> Int32? {
    do {
      _ = try await dial.stream.get()
      return nil
    } catch {
      return (error as? DialError ?? .tunnelClosed).errno
    }
  }

  /// The child's socket, bound to this local endpoint, has been connected to the acceptor: it belongs to this attempt.
  ///
  /// If the dial comes to nothing the connection is reset.
  public func attach(_ local: IPEndpoint) {
    owner.endpoint(at: address).whenComplete { [self] result in
      switch result {
      case .success(let acceptor): owner.announce(self, at: PairingKey(acceptor: acceptor, local: local))
      case .failure: cancel()
      }
    }
  }

  /// The caller is gone or was told otherwise: drops the dial, and resets what it has come to.
  public func cancel() { dial.cancel() }

  /// Joins the child's connection with the far end, as soon as that is there. On the event loop only.
  func join(_ connection: any Channel) {
    dial.join(connection)
  }
}
