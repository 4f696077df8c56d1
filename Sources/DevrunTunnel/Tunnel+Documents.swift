internal import DevrunCore
internal import NIOCore

/// Documents of the agent: what a GET on the outbound connection brings.
extension Tunnel {
  /// Asks for a document and collects it.
  package func document(
    _ path: String, query: [String: [UInt8]] = [:], limit: Int, as name: String
  ) async throws -> [UInt8] {
    let collected = eventLoop.makePromise(of: ByteBuffer.self)
    let pending = streams.open(.get(path: path, query: query), timeout: options.dialTimeout) { stream in
      try stream.pipeline.syncOperations.addHandler(CollectHandler(limit: limit, result: collected))
    }
    pending.stream.whenFailure { collected.fail($0) }
    do {
      let buffer = try await withTaskCancellationHandler {
        try await collected.futureResult.get()
      } onCancel: {
        pending.cancel()
      }
      return Array(buffer.readableBytesView)
    } catch {
      throw Self.requestError(error, name: name)
    }
  }

  /// Says which question failed.
  static func requestError(_ error: any Error, name: String) -> TunnelError {
    switch error {
    case let error as TunnelError: error
    case is CollectHandler.TooLarge: .answerTooLarge(name)
    case DialError.tunnelClosed: .lost("it ended while devrun asked for \(name)")
    case DialError.failed(.refused(let reason)): .failedRequest(name, reason)
    case let error as DialError: .failedRequest(name, error.message.why ?? error.message.what)
    default: .failedRequest(name, "\(error)")
    }
  }

  /// Gives the bytes of a document to `body`, as fast as it takes them.
  package func withBytes(of request: StreamRequest, as name: String, _ body: (ByteSource) async throws -> Void)
    async throws
  {
    let pending = streams.open(request, timeout: options.dialTimeout) { stream in
      let handler = PullHandler(eventLoop: stream.eventLoop)
      try stream.pipeline.syncOperations.addHandler(handler)
      return ByteSource(handler: NIOLoopBound(handler, eventLoop: stream.eventLoop), channel: stream, name: name)
    }
    try await withTaskCancellationHandler {
      let source: ByteSource
      do {
        source = try await pending.stream.get()
      } catch {
        throw Self.requestError(error, name: name)
      }
      defer { source.channel.close(promise: nil) }
      try await body(source)
    } onCancel: {
      pending.cancel()
    }
  }
}
