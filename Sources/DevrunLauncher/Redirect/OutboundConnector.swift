public import DevrunCore

/// Reaches the destinations of the cluster for the child. Implemented by the session, over the tunnel.
public protocol OutboundConnector: Sendable {
  /// Starts to dial the destination, and returns without waiting.
  func begin(to destination: IPEndpoint) -> any OutboundAttempt
}

/// One dial, for one socket of the child.
public protocol OutboundAttempt: Sendable {
  /// Where the child's socket is to be connected: a listener of the session on this machine.
  ///
  /// - Throws: if no listener can be made.
  func acceptor() async throws -> IPEndpoint

  /// Waits for the far end. `nil`: it is connected. Otherwise the errno that the child's `connect` must return.
  ///
  /// Must return when the attempt is cancelled by `cancel`, also when the task that waits is not.
  func outcome() async -> Int32?

  /// The child's socket has been connected to the acceptor, which sees this endpoint as its peer: that connection belongs
  /// to this attempt. It may have been accepted already.
  func attach(_ local: IPEndpoint)

  /// Nobody waits for this any more: the caller is gone, or was told something else. Drops the dial, and a connection
  /// that was attached.
  func cancel()
}
