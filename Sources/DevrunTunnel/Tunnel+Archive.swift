public import DevrunCore
internal import NIOCore

extension Tunnel {
  /// Copies a folder (or a single file) of the agent's container into a folder here.
  ///
  /// Links, modes and times of change are kept; devices and sockets are left out; links that lead out of the folder are
  /// not made, and named in the result. What is there when an error is thrown is incomplete and the caller's to remove.
  ///
  /// - Parameters:
  ///   - path: the folder in the container, such as a volume's mount path.
  ///   - folder: an empty folder here.
  ///   - limits: what to take at most.
  /// - Throws: a `TunnelError` or an `ArchiveError`.
  public func copy(_ path: RawString, into folder: String, limits: ArchiveLimits) async throws -> UnpackedArchive {
    var reader = ArchiveReader(limits: limits)
    var unpacker = try ArchiveUnpacker(into: folder)
    try await withArchive(of: path) { source in
      while let bytes = try await source.next() {
        reader.feed(bytes)
        while let event = try reader.next() { try unpacker.handle(event) }
      }
    }
    try reader.finish()
    try unpacker.finish()
    return unpacker.result
  }

  /// Gives the bytes of an archive (tar) of a folder of the container to `body`, as fast as it takes them.
  private func withArchive(of path: RawString, _ body: (ByteSource) async throws -> Void) async throws {
    let name = "the files at \(path)"
    let request = StreamRequest.get(path: "/volumes", query: ["path": path.bytes])
    let pending = streams.open(request, timeout: options.dialTimeout) { stream in
      let handler = PullHandler(eventLoop: stream.eventLoop)
      try stream.pipeline.syncOperations.addHandler(handler)
      return ByteSource(handler: NIOLoopBound(handler, eventLoop: stream.eventLoop), channel: stream)
    }
    do {
      try await withTaskCancellationHandler {
        let source = try await pending.stream.get()
        defer { source.channel.close(promise: nil) }
        try await body(source)
      } onCancel: {
        pending.cancel()
      }
    } catch let error as ArchiveError {
      throw error
    } catch {
      throw Self.requestError(error, name: name)
    }
  }
}

/// The bytes of a stream, asked for one piece after the other.
struct ByteSource: Sendable {
  let handler: NIOLoopBound<PullHandler>
  let channel: any Channel

  /// The next piece; `nil` at the end. One call at a time.
  func next() async throws -> ByteBuffer? {
    try await channel.eventLoop.flatSubmit { handler.value.next() }.get()
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
