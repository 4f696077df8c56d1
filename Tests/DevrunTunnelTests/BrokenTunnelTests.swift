import DevrunAgent
import DevrunAgentAPI
import DevrunArchive
import DevrunCore
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import DevrunTunnel

/// What happens when a port-forward is cut, at any point of what goes over it.
@Suite(.timeLimit(.minutes(2))) struct BrokenTunnelTests {
  /// A proxy before the agent that cuts all of its connections after so many bytes from the agent.
  private static func cutting(
    after limit: Int, agent: SocketAddress, group: any EventLoopGroup
  ) async throws -> (any Channel, SocketAddress) {
    let loop = group.next()
    let state = NIOLoopBoundBox.makeBoxSendingValue((left: limit, channels: [any Channel]()), eventLoop: loop)
    let listener = try await ServerBootstrap(group: loop)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { near in
        near.eventLoop.makeCompletedFuture {
          state.value.channels.append(near)
          let dial = ClientBootstrap(group: loop).channelInitializer { far in
            far.eventLoop.makeCompletedFuture {
              state.value.channels.append(far)
              try far.pipeline.syncOperations.addHandler(
                CuttingHandler(peer: near) { count in
                  state.value.left -= count
                  if state.value.left < 0 { for channel in state.value.channels { channel.close(promise: nil) } }
                  return state.value.left >= 0
                })
            }
          }.connect(to: agent)
          dial.whenSuccess { far in
            _ = Result { try near.pipeline.syncOperations.addHandler(CuttingHandler(peer: far) { _ in true }) }
            _ = Result { try near.syncOptions?.setOption(.autoRead, value: true) }
            near.read()
          }
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    return (listener, try #require(listener.localAddress))
  }

  /// Passes bytes on while it may.
  private final class CuttingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let peer: any Channel
    private let mayPass: (Int) -> Bool

    init(peer: any Channel, mayPass: @escaping (Int) -> Bool) {
      self.peer = peer
      self.mayPass = mayPass
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let buffer = unwrapInboundIn(data)
      if mayPass(buffer.readableBytes) { peer.writeAndFlush(buffer, promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) { peer.close(promise: nil) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  @Test(arguments: [0, 5, 9, 10, 11, 40, 100, 150, 500, 1000, 20_000, 300_000, 1_000_000])
  func `A tunnel that is cut at any point reports the loss and does not hang`(limit: Int) async throws {
    let (ends, report) = AsyncStream.makeStream(of: Void.self)
    let flooding: @Sendable (TestSocket) async throws -> Void = { socket in
      defer { report.yield() }
      let piece = [UInt8](repeating: 1, count: 64 << 10)
      while true { try await socket.write(piece) }
    }
    try await TunnelFixture.run { fixture in
      let (proxy, address) = try await Self.cutting(after: limit, agent: fixture.control, group: fixture.group)
      try await fixture.withServer(serve: flooding) { port in
        do {
          let tunnel = try await fixture.connect(via: address)
          do {
            _ = try await tunnel.environment()
            let socket = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
            #expect(await socket.isReset(), "a transfer that was cut must not look complete")
            // The agent ends its side too.
            _ = await ends.first { _ in true }
          } catch {
            #expect(error is TunnelError || error is DialError || error is ChannelError, "\(error)")
          }
          let lost = await #expect(throws: TunnelError.self) { try await tunnel.closed.get() }
          guard case .lost = lost else {
            Issue.record("the tunnel ended with \(String(describing: lost))")
            return
          }
        } catch {
          // An error of the connection itself is what the port-forward throws.
          #expect(error is TunnelError || error is ChannelError, "\(error)")
        }
      }
      try await proxy.close()
      // The agent is none the worse for it.
      try await fixture.withTunnel { tunnel in
        let environment = try await tunnel.environment()
        #expect(!environment.isEmpty)
      }
    }
  }

  @Test func `A volume copy that is cut off ends in an error`() async throws {
    try await withTemporaryFolder { source in
      try write([UInt8](repeating: 7, count: 3_000_000), to: "\(source)/large")
      try await withTemporaryFolder { target in
        try await TunnelFixture.run { fixture in
          let (proxy, address) = try await Self.cutting(after: 500_000, agent: fixture.control, group: fixture.group)
          try await fixture.withTunnel(via: address) { tunnel in
            let limits = ArchiveLimits(totalSize: 10 << 20, entries: 10)
            await #expect(throws: TunnelError.self) {
              try await tunnel.copy(RawString(source), into: target, limits: limits)
            }
          }
          try await proxy.close()
        }
      }
    }
  }

  @Test func `A silent peer ends the tunnel with an error`() async throws {
    try await TunnelFixture.run { fixture in
      // Passes on what the agent says until the tunnel is there, and then nothing any more.
      let isSilent = NIOLockedValueBox(false)
      let loop = fixture.group.next()
      let control = fixture.control
      let proxy = try await ServerBootstrap(group: loop)
        .childChannelInitializer { near in
          ClientBootstrap(group: loop).channelInitializer { far in
            far.eventLoop.makeCompletedFuture {
              try far.pipeline.syncOperations.addHandler(
                CuttingHandler(peer: near) { _ in !isSilent.withLockedValue { $0 } })
            }
          }.connect(to: control).flatMapThrowing { far in
            try near.pipeline.syncOperations.addHandler(CuttingHandler(peer: far) { _ in true })
          }
        }
        .bind(host: "127.0.0.1", port: 0).get()
      var options = Tunnel.Options()
      options.keepaliveInterval = .milliseconds(10)
      options.keepaliveTimeout = .milliseconds(500)
      let tunnel = try await fixture.connect(options: options, via: proxy.localAddress)
      isSilent.withLockedValue { $0 = true }
      let lost = await #expect(throws: TunnelError.self) { try await tunnel.closed.get() }
      if case .lost = lost {} else { Issue.record("the tunnel ended with \(String(describing: lost))") }
      try await proxy.close()
    }
  }
}
