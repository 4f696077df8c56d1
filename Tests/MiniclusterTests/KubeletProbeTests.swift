import DevrunCore
import DevrunKube
import DevrunSystem
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Minicluster

/// Probes: what they ask, and what a row of answers means.
struct KubeletProbeTests {
  private let container = Container([
    "name": "main", "ports": [["name": "http", "containerPort": 8080]],
    "readinessProbe": [
      "httpGet": ["path": "ready", "port": "http", "httpHeaders": [["name": "Host", "value": "shop"]]],
      "periodSeconds": 2, "failureThreshold": 1,
    ],
    "livenessProbe": ["tcpSocket": ["port": 9090], "initialDelaySeconds": 5, "terminationGracePeriodSeconds": 1],
    "startupProbe": ["exec": ["command": ["cat", "/x"]], "timeoutSeconds": 7, "successThreshold": 1],
  ])

  @Test func `A probe has the fields of its container, and kubelet's defaults`() throws {
    let readiness = try #require(Probe(.readiness, of: container, at: "10.97.0.2"))
    #expect(
      readiness.handler
        == .httpGet(
          ProbeHandler.HTTPQuestion(
            host: "10.97.0.2", port: 8080, path: "ready", headers: [.init(name: "Host", value: "shop")])))
    #expect((readiness.period, readiness.timeout) == (.seconds(2), .seconds(1)))
    #expect((readiness.failureThreshold, readiness.successThreshold, readiness.initialDelay) == (1, 1, .zero))
    let liveness = try #require(Probe(.liveness, of: container, at: "10.97.0.2"))
    #expect(liveness.handler == .tcpSocket(host: "10.97.0.2", port: 9090))
    #expect((liveness.initialDelay, liveness.period, liveness.failureThreshold) == (.seconds(5), .seconds(10), 3))
    #expect(liveness.gracePeriodSeconds == 1)
    let startup = try #require(Probe(.startup, of: container, at: "10.97.0.2"))
    #expect(startup.handler == .exec(["cat", "/x"]))
    #expect(startup.timeout == .seconds(7))
  }

  @Test func `A probe of a port that has no name asks nothing`() {
    let container = Container(["name": "main", "readinessProbe": ["httpGet": ["port": "nope"]]])
    #expect(Probe(.readiness, of: container, at: "10.97.0.2") == nil)
  }

  @Test(
    arguments: [
      (3, 1, "xxx", [nil, nil, false]), (3, 1, "xx.xx", [nil, nil, true, nil, nil]), (1, 1, "x", [false]),
      (1, 3, "x....", [false, nil, nil, true, true]), (2, 2, ".x.x", [nil, nil, nil, nil]),
    ] as [(Int, Int, String, [Bool?])]) func `A probe changes its mind after enough answers in a row`(
      failures: Int, successes: Int, answers: String, expected: [Bool?]
    ) throws
  {
    let container = Container([
      "readinessProbe": [
        "exec": ["command": []], "failureThreshold": .int(Int64(failures)), "successThreshold": .int(Int64(successes)),
      ]
    ])
    var tally = ProbeTally(of: try #require(Probe(.readiness, of: container, at: "")))
    #expect(answers.map { tally.add($0 == ".") } == expected)
  }

  /// A server that answers the first bytes of each connection.
  private func server(_ answer: String?) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Answerer(answer)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  private func question(_ server: any Channel) -> ProbeHandler.HTTPQuestion {
    .init(host: "127.0.0.1", port: server.localAddress?.port ?? 0, path: "/x")
  }

  @Test(arguments: [
    ("200 OK", ProbeAnswer.success), ("302 Found", .success),
    ("503 Service Unavailable", .failure("HTTP probe failed with statuscode: 503")),
  ]) func `An HTTP probe succeeds with a status below 400`(status: String, expected: ProbeAnswer) async throws {
    let server = try await server("HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")
    #expect(await ProbeQuestion.get(question(server), timeout: .seconds(10)) == expected)
    try await server.close()
  }

  @Test func `An HTTP probe that gets no answer fails in time`() async throws {
    let server = try await server(nil)
    let port = server.localAddress?.port ?? 0
    #expect(
      await ProbeQuestion.get(question(server), timeout: .milliseconds(50))
        == .failure(
          "Get \"http://127.0.0.1:\(port)/x\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)"
        ))
    try await server.close()
  }

  @Test func `A probe of an open port succeeds, and of a closed one fails in Go's words`() async throws {
    let server = try await server(nil)
    let open = server.localAddress?.port ?? 0
    #expect(await ProbeQuestion.connect(host: "127.0.0.1", port: open, timeout: .seconds(10)) == .success)
    try await server.close()

    let port = try freePort()
    let refused = "dial tcp 127.0.0.1:\(port): connect: connection refused"
    #expect(
      await ProbeQuestion.get(.init(host: "127.0.0.1", port: port, path: "/x"), timeout: .seconds(10))
        == .failure("Get \"http://127.0.0.1:\(port)/x\": \(refused)"))
    #expect(await ProbeQuestion.connect(host: "127.0.0.1", port: port, timeout: .seconds(10)) == .failure(refused))
  }

  @Test(arguments: [([0x08, 0x01], 1), ([0x08, 0x02], 2), ([], 0)] as [([UInt8], UInt8)])
  func `A gRPC health check reads the status out of the answer's data frame`(response: [UInt8], status: UInt8) {
    var exchange = HealthExchange()
    let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
    #expect(exchange.receive(ByteBuffer(bytes: settings)).readableBytes == 9)
    let headers: [UInt8] = [0, 0, 1, 1, 4, 0, 0, 0, 1, 0x88]
    let message = [0, 0, 0, 0, UInt8(response.count)] + response
    let data = [0, 0, UInt8(message.count), 0, 0, 0, 0, 0, 1] + message
    let trailers: [UInt8] = [0, 0, 0, 1, 5, 0, 0, 0, 1]
    // In two pieces, cut inside of a frame.
    let all = headers + data + trailers
    _ = exchange.receive(ByteBuffer(bytes: all.prefix(14)))
    #expect(!exchange.isOver)
    _ = exchange.receive(ByteBuffer(bytes: all.dropFirst(14)))
    #expect(exchange.isOver)
    #expect(exchange.status == status)
  }

  @Test func `A gRPC health check that is broken off has no status`() {
    var exchange = HealthExchange()
    _ = exchange.receive(ByteBuffer(bytes: [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 2]))
    #expect(exchange.isOver)
    #expect(exchange.status == nil)
  }
}

/// Answers the first bytes that come; with `nil` never.
private final class Answerer: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let answer: String?

  init(_ answer: String?) { self.answer = answer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard let answer else { return }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: answer)), promise: nil)
  }
}
