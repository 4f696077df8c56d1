import NIOCore
import NIOPosix
import Testing

@testable import DevrunTunnel

/// A relay whose far side has no half-close.
@Suite(.timeLimit(.minutes(1))) struct WholeStreamRelayTests {
  /// Makes a TCP connection end as a port-forward does: a half-close from here is kept to itself, and the far end's closes
  /// the channel.
  private final class WholeStream: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event as? ChannelEvent == .inputClosed { return context.close(promise: nil) }
      context.fireUserInboundEventTriggered(event)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
      if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
  }

  /// Runs a test with a client whose connection is relayed to a server, the far side of the relay.
  private func withRelay(
    serve: @escaping @Sendable (TestSocket) async throws -> Void, _ body: (TestSocket) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let server = try await TestServer(host: "127.0.0.1", group: group, serve: serve)
    let (port, loop) = (server.port, group.next())
    let listener = try await StreamSocket.listen(
      on: SocketAddress(ipAddress: "127.0.0.1", port: 0), eventLoop: loop, limits: .unconstrained
    ) { near in
      let address = Result { try SocketAddress(ipAddress: "127.0.0.1", port: port) }
      loop.makeCompletedFuture(address).flatMap {
        SocketDialer(on: loop, limits: .unconstrained).connect(to: [$0])
      }.flatMapThrowing { result in
        let far = try result.get()
        try far.pipeline.syncOperations.addHandler(WholeStream())
        try Relay.join(near, far, farEndsWhole: true)
      }.whenFailure { _ in near.triggerUserOutboundEvent(StreamReset(), promise: nil) }
    }.get()
    let result: Result<Void, any Error>
    do {
      let address = try #require(listener.localAddress)
      let client = try await SocketDialer(on: group.next(), limits: .unconstrained).connect(to: [address])
        .flatMapThrowing { try TestSocket(onLoop: $0.get()) }.get()
      result = .success(try await body(client))
    } catch {
      result = .failure(error)
    }
    try await listener.close()
    await server.close()
    try await group.shutdownGracefully()
    try result.get()
  }

  @Test func `All that the far side has sent arrives before its end, which is no reset`() async throws {
    try await withRelay { server in
      try await server.write(Array(repeating: 7, count: 1_000_000))
      try await server.closeOutput()
    } _: { client in
      #expect(try await client.readAll().count == 1_000_000)
      try await client.closeOutput()
    }
  }

  @Test func `The answer to a client that has ended its half arrives`() async throws {
    try await withRelay { server in
      let request = try await server.read(exactly: 5)
      try await server.write(request + request)
      try await server.closeOutput()
    } _: { client in
      try await client.write("hello")
      try await client.closeOutput()
      #expect(try await client.readAll() == Array("hellohello".utf8))
    }
  }

  @Test func `A client that goes on sending after the far side's end is reset`() async throws {
    try await withRelay { server in
      try await server.closeOutput()
    } _: { client in
      let end = try await client.read()
      #expect(end == nil)
      var isReset = false
      while !isReset {
        do { try await client.write("nobody takes this") } catch { isReset = true }
      }
    }
  }

  @Test func `A far side that breaks off resets the client`() async throws {
    try await withRelay { server in
      _ = try await server.read(exactly: 1)
      server.reset()
    } _: { client in
      try await client.write("x")
      #expect(await client.isReset())
    }
  }
}
