public import DevrunCore
public import DevrunSystem

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

  /// Waits for the far end.
  ///
  /// Must return when the attempt is cancelled by `cancel`, also when the task that waits is not.
  func outcome() async -> DialOutcome

  /// The child's socket has been connected to the acceptor, which sees this endpoint as its peer: that connection belongs
  /// to this attempt. It may have been accepted already.
  func attach(_ local: IPEndpoint)

  /// Nobody waits for this any more: the caller is gone, or was told something else. Drops the dial, and a connection
  /// that was attached.
  func cancel()
}

/// What came of a dial.
public enum DialOutcome: Sendable, Hashable, Codable {
  /// The far end has accepted.
  case connected
  /// The dial failed; the child's `connect` must return this error.
  case failed(Errno)
  /// The far end has not answered in time.
  case undecided
}
