import NIOCore
import NIOPosix
import Testing

@testable import DevrunSession

/// Whether a program is left at the other end of a connection.
@Suite("Clients of this machine", .timeLimit(.minutes(1)))
struct LocalClientTests {
  /// Runs a test with a client and the server's end of its connection.
  private func withConnection(
    to host: String, as family: String, _ body: (_ client: any Channel, _ server: any Channel) async throws -> Void
  ) async throws {
    let loop = MultiThreadedEventLoopGroup.singleton.next()
    let (accepted, arrival) = AsyncStream.makeStream(of: (any Channel).self)
    let listener = try await ServerBootstrap(group: loop).childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        arrival.yield(channel)
        return channel.eventLoop.makeSucceededVoidFuture()
      }.bind(host: host, port: 0).get()
    // A program with sockets of IPv6 alone connects to the mapped address.
    let address = try SocketAddress(ipAddress: family, port: try #require(listener.localAddress?.port))
    let client = try await ClientBootstrap(group: loop).channelOption(.allowRemoteHalfClosure, value: true)
      .connect(to: address).get()
    for await server in accepted {
      try await body(client, server)
      try await server.close()
      break
    }
    try await listener.close()
  }

  /// Waits for the end of a channel's input.
  private final class End: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer

    let promise: EventLoopPromise<Void>

    init(_ promise: EventLoopPromise<Void>) { self.promise = promise }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event as? ChannelEvent == .inputClosed { promise.succeed() }
      context.fireUserInboundEventTriggered(event)
    }
  }

  private func end(of server: any Channel) async throws -> EventLoopFuture<Void> {
    let promise = server.eventLoop.makePromise(of: Void.self)
    try await server.pipeline.addHandler(End(promise)).get()
    return promise.futureResult
  }

  @Test(arguments: [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "::ffff:127.0.0.1"), ("::1", "::1")])
  func `A client that has ended its half is there, and one that has closed is gone`(host: String, family: String)
    async throws
  {
    try await withConnection(to: host, as: family) { client, server in
      let known = try #require(LocalClient(client: server.remoteAddress, server: server.localAddress))
      #expect(!known.isGone)
      let ended = try await end(of: server)
      try await client.close(mode: .output)
      try await ended.get()
      #expect(!known.isGone)
      try await client.close()
      #expect(known.isGone)
    }
    try await withConnection(to: host, as: family) { client, server in
      let known = try #require(LocalClient(client: server.remoteAddress, server: server.localAddress))
      let ended = try await end(of: server)
      try await client.close()
      try await ended.get()
      #expect(known.isGone)
    }
  }
}
