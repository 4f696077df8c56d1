import DevrunAgentAPI
import NIOCore
import NIOHPACK
import NIOHTTP2
import NIOPosix
import TestSupport
import Testing

@testable import DevrunAgent
@testable import DevrunTunnel

@Suite("Probes of the agent", .timeLimit(.minutes(2))) struct ProbeTests {
  /// An agent with ports for probes.
  private func run(_ body: (TunnelFixture, _ probes: SocketAddress, _ ready: SocketAddress) async throws -> Void)
    async throws
  {
    let ready = try freePort()
    try await TunnelFixture.run(probePort: 0, readyPort: ready) { fixture in
      let port = try #require(try await fixture.agent.probeAddress().get()?.port)
      try await body(
        fixture, SocketAddress(ipAddress: "127.0.0.1", port: port), SocketAddress(ipAddress: "127.0.0.1", port: ready))
    }
  }

  private func status(_ path: String, _ fixture: TunnelFixture, _ address: SocketAddress) async throws -> String {
    let socket = try await fixture.socket(to: address)
    try await socket.write("GET \(path) HTTP/1.1\r\nHost: x\r\nUser-Agent: kube-probe/1.20\r\n\r\n")
    let answer = String(decoding: try await socket.readAll(), as: UTF8.self)
    return answer.split(separator: " ").dropFirst().first.map(String.init) ?? answer
  }

  @Test func `An httpGet probe of readiness succeeds exactly while a tunnel is attached`() async throws {
    try await run { fixture, probes, _ in
      #expect(try await status("/ready", fixture, probes) == "503")
      #expect(try await status("/alive", fixture, probes) == "200")
      #expect(try await status("/", fixture, probes) == "404")
      try await fixture.withTunnel { tunnel in
        _ = try await tunnel.info()
        #expect(try await status("/ready", fixture, probes) == "200")
      }
      while try await status("/ready", fixture, probes) == "200" { await Task.yield() }
      #expect(try await status("/alive", fixture, probes) == "200")
    }
  }

  @Test func `A tcpSocket probe of readiness connects exactly while a tunnel is attached`() async throws {
    try await run { fixture, _, ready in
      func connects() async throws -> Bool {
        do {
          try await fixture.socket(to: ready).reset()
          return true
        } catch is DialFailure {
          return false
        } catch is ChannelError {
          // It was accepted, and closed at once.
          return true
        }
      }
      #expect(try await connects() == false)
      for _ in 0..<3 {
        try await fixture.withTunnel { tunnel in
          _ = try await tunnel.info()
          while try await !connects() { await Task.yield() }
        }
        while try await connects() { await Task.yield() }
      }
    }
  }

  @Test func `A gRPC health check reports the tunnel as the service ready`() async throws {
    try await run { fixture, probes, _ in
      #expect(try await health("ready", fixture, probes) == .serving(2))
      #expect(try await health("alive", fixture, probes) == .serving(1))
      #expect(try await health("", fixture, probes) == .serving(1))
      #expect(try await health("ready", path: "/grpc.health.v1.Health/Watch", fixture, probes) == .failed("12"))
      try await fixture.withTunnel { tunnel in
        _ = try await tunnel.info()
        #expect(try await health("ready", fixture, probes) == .serving(1))
      }
      while try await health("ready", fixture, probes) == .serving(1) { await Task.yield() }
    }
  }

  /// A connection to an address from another one of this machine's.
  private func socket(from host: String, to address: SocketAddress, _ fixture: TunnelFixture) async throws -> TestSocket
  {
    let channel = try await ClientBootstrap(group: fixture.group.next())
      .channelOption(.autoRead, value: false)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .bind(to: SocketAddress(ipAddress: host, port: 0))
      .connect(to: address).get()
    return try await TestSocket(channel)
  }

  @Test func `Strangers at the probes' port cannot keep a probe from another address away, nor end one`() async throws {
    try await run { fixture, probes, _ in
      var strangers: [TestSocket] = []
      for _ in 0..<40 { strangers.append(try await fixture.socket(to: probes)) }
      var answers: [String] = []
      // A probe that takes long ends by itself: on a busy machine this takes more than one attempt.
      repeat {
        let start = ContinuousClock.now
        let early = try await socket(from: "127.0.0.2", to: probes, fixture)
        try await early.write("GET /alive HTTP/1.1\r\n")
        for _ in 0..<40 { strangers.append(try await fixture.socket(to: probes)) }
        let late = try await socket(from: "127.0.0.2", to: probes, fixture)
        try await late.write("GET /alive HTTP/1.1\r\n\r\n")
        try await early.write("\r\n")
        answers = []
        for socket in [early, late] { answers.append(String(decoding: try await socket.readAll(), as: UTF8.self)) }
        if .now - start < .seconds(1) { break }
      } while !answers.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") }
      #expect(answers.allSatisfy { $0.hasPrefix("HTTP/1.1 200 ") })
      for stranger in strangers { stranger.reset() }
    }
  }

  @Test func `A peer that says nothing loses its place`() async throws {
    try await run { fixture, probes, _ in
      let start = ContinuousClock.now
      let silent = try await fixture.socket(to: probes)
      let rest = try await silent.readAll()
      #expect(rest == [] && .now - start < .seconds(8))
    }
  }

  private enum Health: Hashable, Sendable {
    /// The number of the message's field 1.
    case serving(UInt8)
    /// `grpc-status`
    case failed(String)
  }

  private func health(
    _ service: String, path: String = "/grpc.health.v1.Health/Check", _ fixture: TunnelFixture, _ address: SocketAddress
  ) async throws -> Health {
    let loop = fixture.group.next()
    let answer = loop.makePromise(of: Health.self)
    let connection = try await ClientBootstrap(group: loop).connect(to: address) { channel in
      channel.eventLoop.makeCompletedFuture {
        let handler = NIOHTTP2Handler(
          mode: .client, eventLoop: channel.eventLoop, connectionConfiguration: .init(), streamConfiguration: .init()
        ) { $0.eventLoop.makeSucceededVoidFuture() }
        try channel.pipeline.syncOperations.addHandler(handler)
        try handler.syncMultiplexer().createStreamChannel(promise: nil) { stream in
          stream.eventLoop.makeCompletedFuture {
            try stream.pipeline.syncOperations.addHandler(HealthClient(service, path: path, answer))
          }
        }
        return channel
      }
    }
    let result = try await answer.futureResult.get()
    try await connection.close().get()
    return result
  }

  private final class HealthClient: ChannelInboundHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private let service: String
    private let path: String
    private let answer: EventLoopPromise<Health>
    private var message: [UInt8] = []

    init(_ service: String, path: String, _ answer: EventLoopPromise<Health>) {
      self.service = service
      self.path = path
      self.answer = answer
    }

    func channelActive(context: ChannelHandlerContext) {
      let headers: HPACKHeaders = [
        ":method": "POST", ":scheme": "http", ":path": path, ":authority": "a", "content-type": "application/grpc",
        "te": "trailers",
      ]
      let name = service.isEmpty ? [] : [0x0a, UInt8(service.utf8.count)] + Array(service.utf8)
      let body = ByteBuffer(bytes: [0, 0, 0, 0, UInt8(name.count)] + name)
      context.write(wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .data(let data): if case .byteBuffer(let buffer) = data.data { message += buffer.readableBytesView }
      case .headers(let headers) where headers.headers.first(name: "grpc-status") != nil:
        let status = headers.headers.first(name: "grpc-status") ?? ""
        answer.succeed(status == "0" ? .serving(message.last ?? 0) : .failed(status))
      default: break
      }
    }

    func channelInactive(context: ChannelHandlerContext) { answer.fail(ChannelError.eof) }
  }
}
