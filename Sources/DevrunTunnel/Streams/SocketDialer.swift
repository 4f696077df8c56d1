internal import DevrunSystem
package import NIOCore
internal import NIOPosix

/// Makes the TCP connections that streams are joined to.
package struct SocketDialer: Sendable {
  package let eventLoop: any EventLoop
  package let limits: ConnectionLimits
  /// How long one address may take.
  package let timeout: TimeAmount

  package init(on eventLoop: any EventLoop, limits: ConnectionLimits, timeout: TimeAmount = .seconds(15)) {
    self.eventLoop = eventLoop
    self.limits = limits
    self.timeout = timeout
  }

  /// Connects to the first of the addresses that answers, one after the other.
  ///
  /// - Returns: the channel, on which nothing is read yet, or the first address's failure.
  package func connect(to addresses: [SocketAddress]) -> EventLoopFuture<Result<any Channel, DialFailure>> {
    guard let first = addresses.first else {
      return eventLoop.makeSucceededFuture(.failure(.nameNotFound))
    }
    return connect(to: first).flatMap { result in
      guard case .failure = result, addresses.count > 1 else { return eventLoop.makeSucceededFuture(result) }
      return connect(to: Array(addresses.dropFirst())).map { rest in
        if case .success = rest { rest } else { result }
      }
    }
  }

  private func connect(to address: SocketAddress) -> EventLoopFuture<Result<any Channel, DialFailure>> {
    StreamSocket.configure(ClientBootstrap(group: eventLoop), limits: limits)
      .connectTimeout(timeout)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(SocketStreamHandler())
        }
      }
      .connect(to: address)
      .map { .success($0) }
      .flatMapErrorThrowing { .failure(.connect(Self.errno(of: $0))) }
  }

  private static func errno(of error: any Error) -> Errno {
    switch error {
    case let error as IOError: Errno(rawValue: error.errnoCode)
    case ChannelError.connectTimeout: .timedOut
    default: .inputOutputError
    }
  }
}
