package import NIOCore

/// The bytes of a stream, asked for one piece after the other.
package struct ByteSource: Sendable {
  let handler: NIOLoopBound<PullHandler>
  let channel: any Channel
  /// What the bytes are, for errors.
  let name: String

  /// The next piece; `nil` at the end. One call at a time.
  ///
  /// - Throws: a `TunnelError`
  package func next() async throws -> ByteBuffer? {
    do {
      return try await channel.eventLoop.flatSubmit { handler.value.next() }.get()
    } catch {
      throw Tunnel.requestError(error, name: name)
    }
  }
}

/// Reads from its stream only when asked.
final class PullHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let eventLoop: any EventLoop
  private var context: ChannelHandlerContext?
  private var queue: [Result<ByteBuffer?, any Error>] = []
  private var waiting: EventLoopPromise<ByteBuffer?>?
  private var finished = false

  init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

  func next() -> EventLoopFuture<ByteBuffer?> {
    if !queue.isEmpty { return eventLoop.makeCompletedFuture(queue.removeFirst()) }
    let promise = eventLoop.makePromise(of: ByteBuffer?.self)
    guard let context, !finished else {
      promise.fail(DialError.tunnelClosed)
      return promise.futureResult
    }
    waiting = promise
    context.channel.read()
    return promise.futureResult
  }

  private func receive(_ item: Result<ByteBuffer?, any Error>) {
    if let waiting {
      self.waiting = nil
      waiting.completeWith(item)
    } else {
      queue.append(item)
    }
  }

  private func finish(_ item: Result<ByteBuffer?, any Error>) {
    guard !finished else { return }
    finished = true
    receive(item)
  }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    finish(.failure(DialError.tunnelClosed))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { receive(.success(unwrapInboundIn(data))) }

  func channelReadComplete(context: ChannelHandlerContext) {
    if waiting != nil { context.read() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed { finish(.success(nil)) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { finish(.failure(error)) }

  func channelInactive(context: ChannelHandlerContext) { finish(.failure(DialError.tunnelClosed)) }
}
