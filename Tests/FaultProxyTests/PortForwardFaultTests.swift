import DevrunConfig
import FaultProxy
import NIOCore
import NIOPosix
import NIOSSL
import TestSupport
import Testing

@Suite("Faults of port-forwards")
struct PortForwardFaultTests {
  /// Runs a body with a connection through a proxy to a server that consents to any upgrade, and echoes.
  private static func run(
    _ body: (FaultProxy, NIOAsyncChannelOutboundWriter<ByteBuffer>, inout Incoming) async throws -> Void
  ) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let server = try await ServerBootstrap(group: group)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo()) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = try #require(server.localAddress?.port)
    let proxy = try await FaultProxy.start(
      before: ClusterAccess(server: "http://127.0.0.1:\(port)", contextName: "test"))
    let access = proxy.clientAccess
    var tls = TLSConfiguration.makeClientConfiguration()
    tls.trustRoots = .certificates(try NIOSSLCertificate.fromPEMBytes(access.certificateAuthority ?? []))
    let context = try NIOSSLContext(configuration: tls)
    let client = try await ClientBootstrap(group: group).connect(host: "127.0.0.1", port: proxy.port) { channel in
      channel.eventLoop.makeCompletedFuture {
        try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: nil))
        return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
      }
    }
    guard case .token(let token)? = access.credentials.authorization else { throw TestFailure("there is no token") }
    let result: Result<Void, any Error>
    do {
      try await client.executeThenClose { inbound, outbound in
        var incoming = Incoming(iterator: inbound.makeAsyncIterator())
        let path = "/api/v1/namespaces/ns/pods/web/portforward?ports=1"
        try await outbound.write(
          ByteBuffer(
            string: "GET \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(token)\r\n"
              + "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"))
        #expect(try await incoming.read(Echo.consent.utf8.count) == Echo.consent)
        try await body(proxy, outbound, &incoming)
      }
      result = .success(())
    } catch {
      result = .failure(error)
    }
    try await proxy.stop()
    try await server.close()
    try result.get()
  }

  @Test func `Bytes of a port-forward pass the proxy in both directions`() async throws {
    try await Self.run { proxy, outbound, incoming in
      try await outbound.write(ByteBuffer(string: "hello"))
      #expect(try await incoming.read(5) == "hello")
      let large = String(repeating: "0123456789abcdef", count: 1 << 16)
      async let written: Void = outbound.write(ByteBuffer(string: large))
      #expect(try await incoming.read(large.utf8.count) == large)
      try await written
    }
  }

  @Test func `A port-forward that is stalled goes on once the fault is lifted`() async throws {
    try await Self.run { proxy, outbound, incoming in
      let stall = try await proxy.inject(.hold, into: .portForward(to: "web"))
      try await outbound.write(ByteBuffer(string: "hello"))
      try await stall.hit()
      stall.lift()
      #expect(try await incoming.read(5) == "hello")
    }
  }

  @Test func `A port-forward that is open is cut`() async throws {
    try await Self.run { proxy, outbound, incoming in
      let cut = try await proxy.inject(.cut, into: .portForward(), .once)
      #expect(try await incoming.isEnd())
      #expect(cut.hits == 1)
    }
  }

  @Test func `A port-forward that is limited takes as long as its bytes need`() async throws {
    try await Self.run { proxy, outbound, incoming in
      let limit = try await proxy.inject(.limit(bytesPerSecond: 100_000), into: .portForward())
      let text = String(repeating: "x", count: 20_000)
      let start = ContinuousClock.now
      for _ in 1...3 {
        try await outbound.write(ByteBuffer(string: text))
        #expect(try await incoming.read(text.utf8.count) == text)
      }
      // The last bytes are passed on at once: what they need is waited for before the next.
      #expect(ContinuousClock.now - start >= .milliseconds(400))
      #expect(limit.hits >= 6)
    }
  }
}

/// What comes from the proxy.
private struct Incoming {
  var iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator
  private var bytes = ByteBuffer()

  init(iterator: NIOAsyncChannelInboundStream<ByteBuffer>.AsyncIterator) { self.iterator = iterator }

  /// The next bytes as a text; fewer at the end.
  mutating func read(_ count: Int) async throws -> String {
    while bytes.readableBytes < count, var more = try await iterator.next() { bytes.writeBuffer(&more) }
    return bytes.readString(length: min(count, bytes.readableBytes)) ?? ""
  }

  /// Whether nothing comes any more.
  mutating func isEnd() async throws -> Bool {
    do {
      return try await iterator.next() == nil
    } catch NIOSSLError.uncleanShutdown {
      return true
    }
  }
}

/// A server that becomes an echo when it has read a request.
private final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  static let consent = "HTTP/1.1 101 Switching Protocols\r\n\r\n"

  private var request = ""
  private var hasConsented = false

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let bytes = unwrapInboundIn(data)
    if hasConsented { return context.writeAndFlush(data, promise: nil) }
    request += String(buffer: bytes)
    guard request.hasSuffix("\r\n\r\n") else { return }
    hasConsented = true
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: Self.consent)), promise: nil)
  }
}
