internal import DevrunSystem
package import NIOCore
internal import NIOHPACK
package import NIOHTTP2

/// A stream that has been asked for.
package struct PendingStream<Opened: Sendable>: Sendable {
  /// What was made of the stream once its far end has answered with 200, nothing read yet; fails with a `DialError`.
  package let stream: EventLoopFuture<Opened>
  /// Drops the request, or resets the stream if it has succeeded.
  package let cancel: @Sendable () -> Void

  /// A stream that somebody else opens.
  package init(stream: EventLoopFuture<Opened>, cancel: @escaping @Sendable () -> Void) {
    self.stream = stream
    self.cancel = cancel
  }
}

/// Opens streams on one connection of the tunnel, from the end that is its HTTP/2 client.
package struct StreamOpener: Sendable {
  private let connection: any Channel
  private let multiplexer: NIOHTTP2Handler.StreamMultiplexer
  private let pool: WindowPool

  /// - Parameter pool: what this end's streams share.
  package init(connection: any Channel, multiplexer: NIOHTTP2Handler.StreamMultiplexer, pool: WindowPool) {
    self.connection = connection
    self.multiplexer = multiplexer
    self.pool = pool
  }

  /// Opens a stream, sends its request and waits for the head of the answer.
  ///
  /// Where the answer is no 200 the future fails with a `DialError` and the stream is closed.
  ///
  /// - Parameter prepare: called on the event loop with the stream when a 200 came, before anything after it is read. A
  ///   stream whose request is complete with its head may have ended a moment later.
  package func open<Opened: Sendable>(
    _ request: StreamRequest, timeout: TimeAmount, prepare: @escaping @Sendable (any Channel) throws -> Opened
  ) -> PendingStream<Opened> {
    let eventLoop = connection.eventLoop
    let opened = eventLoop.makePromise(of: Opened.self)
    let created = eventLoop.makePromise(of: (any Channel).self)
    eventLoop.execute {
      // On a connection that has ended NIOHTTP2 would keep the new stream waiting for ever.
      guard connection.isActive else { return created.fail(ChannelError.ioOnClosedChannel) }
      multiplexer.createStreamChannel(promise: created) { stream in
        stream.eventLoop.makeCompletedFuture {
          try initialize(stream, request: request, opened: opened, prepare: prepare)
        }
      }
    }
    created.futureResult.whenFailure { _ in opened.fail(DialError.tunnelClosed) }
    let giveUp: @Sendable (Errno) -> Void = { error in
      opened.fail(DialError.failed(.connect(error)))
      created.futureResult.whenSuccess { $0.close(promise: nil) }
    }
    let deadline = eventLoop.scheduleTask(in: timeout) { giveUp(.timedOut) }
    opened.futureResult.whenComplete { _ in deadline.cancel() }
    return PendingStream(stream: opened.futureResult, cancel: { giveUp(.cancelled) })
  }

  /// Opens a stream that is a byte stream both ways.
  package func open(_ request: StreamRequest, timeout: TimeAmount) -> PendingStream<any Channel> {
    open(request, timeout: timeout) { $0 }
  }

  private func initialize<Opened: Sendable>(
    _ stream: any Channel, request: StreamRequest, opened: EventLoopPromise<Opened>,
    prepare: @escaping @Sendable (any Channel) throws -> Opened
  ) throws {
    try stream.syncOptions?.setOption(.autoRead, value: false)
    let isGet = if case .get = request { true } else { false }
    let head = ResponseHead(request.headers, endStream: isGet)
    let handler = HTTP2StreamHandler(request: head, pool: pool) { [weak stream] result in
      switch result {
      case .success(let headers) where headers.first(name: ":status") == "200":
        guard let stream else { return opened.fail(DialError.tunnelClosed) }
        opened.completeWith(Result { try prepare(stream) })
      case .success(let headers):
        opened.fail(DialError.failed(DialFailure(headers: headers)))
        stream?.close(promise: nil)
      case .failure(let error):
        opened.fail(Self.dialError(error))
      }
    }
    try stream.pipeline.syncOperations.addHandler(handler)
  }

  /// What it means when a stream ends before its answer.
  private static func dialError(_ error: any Error) -> DialError {
    guard let error = error as? NIOHTTP2Errors.StreamClosed else { return .tunnelClosed }
    let hasNoRoom = error.errorCode == .refusedStream
    return .failed(hasNoRoom ? .refused("the agent has no room for another connection") : .connect(.connectionReset))
  }
}
