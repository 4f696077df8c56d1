internal import DevrunCore
internal import NIOCore
internal import NIOPosix

/// Answers `devrun diagnose`: a Unix socket in the session's folder, which only its user can enter. Whoever connects is
/// sent the session's state, and nothing is read.
struct DiagnosisServer: Sendable {
  /// The socket's name in the session's folder.
  static let socketName = "diagnosis"

  private let channel: any Channel

  /// Begins to answer.
  ///
  /// - Parameters:
  ///   - path: where the socket is made.
  ///   - answer: what is sent to each that asks.
  /// - Throws: an error of NIO or the system's, where there can be no such socket.
  init(
    at path: String, group: any EventLoopGroup, answer: @escaping @Sendable () async throws -> [UInt8]
  ) async throws {
    channel = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AnswerHandler(answer: answer))
        }
      }
      .bind(unixDomainSocketPath: path).get()
  }

  /// Ends it. Who is being answered gets the answer, as long as the event loop runs.
  func close() async throws { try await channel.close() }
}

/// Writes the answer as soon as the connection is there, and closes it.
private final class AnswerHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let answer: @Sendable () async throws -> [UInt8]

  init(answer: @escaping @Sendable () async throws -> [UInt8]) { self.answer = answer }

  func channelActive(context: ChannelHandlerContext) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    let answer = answer
    context.eventLoop.makeFutureWithTask { try await answer() }.whenComplete { result in
      let context = bound.value
      // An empty answer tells that there is none.
      let bytes = if case .success(let bytes) = result { bytes } else { [UInt8]() }
      let written = context.eventLoop.makePromise(of: Void.self)
      written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
      context.writeAndFlush(NIOAny(ByteBuffer(bytes: bytes)), promise: written)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
