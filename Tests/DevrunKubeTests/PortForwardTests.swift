import DevrunConfig
import DevrunCore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import Testing

@testable import DevrunKube

@Suite("Port-forwards")
struct PortForwardTests {
  private typealias Frame = LoopbackPodServer.Frame

  /// What came over a channel until it closed.
  struct Received: Sendable {
    var text: String
    var errors: [PortForwardError]
  }

  /// Collects what comes; answers when enough has come, or when the channel closes.
  private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    enum Item: Sendable {
      case bytes(ByteBuffer)
      case error(any Error)
      case closed
    }
    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation

    init() { (items, continuation) = AsyncStream.makeStream(of: Item.self) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(.bytes(unwrapInboundIn(data))) }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { continuation.yield(.error(error)) }
    func channelInactive(context: ChannelHandlerContext) {
      continuation.yield(.closed)
      continuation.finish()
    }

    /// Reads on until that many bytes have come in all, or the channel is closed.
    func received(_ count: Int = .max) async -> Received {
      var bytes = ByteBuffer()
      var errors: [PortForwardError] = []
      for await item in items {
        switch item {
        case .bytes(var more): bytes.writeBuffer(&more)
        case .error(let error): if let error = error as? PortForwardError { errors.append(error) }
        case .closed: break
        }
        if bytes.readableBytes >= count { break }
      }
      return Received(text: String(buffer: bytes), errors: errors)
    }
  }

  private func open(_ client: KubeClient, starts: Bool = true) async throws -> (any Channel, Collector) {
    let collector = Collector()
    let channel = try await client.portForward(
      namespace: "shop", pod: "myapp1-x", port: 8080, on: MultiThreadedEventLoopGroup.singleton.next()
    ) { channel in
      try channel.pipeline.syncOperations.addHandler(collector)
    }
    if starts {
      try await channel.setOption(.autoRead, value: true).get()
      channel.read()
    }
    return (channel, collector)
  }

  private func withForward(
    _ script: LoopbackPodServer.Script, options: KubeClient.Options = .quick,
    _ body: (KubeClient, LoopbackPodServer) async throws -> Void
  ) async throws {
    let server = try await LoopbackPodServer.start(script)
    let access = ClusterAccess(
      server: "http://127.0.0.1:\(server.port)/prefix", contextName: "c",
      credentials: Credentials(authorization: .token("t")))
    try await withClient(access, options: options) { try await body($0, server) }
    try await server.stop()
  }

  @Test func `A port-forward requests its port and carries bytes both ways`() async throws {
    try await withForward(LoopbackPodServer.Script()) { client, server in
      let (channel, collector) = try await open(client)
      try await channel.writeAndFlush(ByteBuffer(string: "hello"))
      let received = await collector.received(5)
      #expect(received.text == "hello")
      try await channel.close()
      var frames: [Frame] = []
      for await event in server.events {
        switch event {
        case .request(let request):
          #expect(request.uri == "/prefix/api/v1/namespaces/shop/pods/myapp1-x/portforward?ports=8080")
          #expect(request.headers.first(name: "Sec-WebSocket-Protocol") == "v4.channel.k8s.io")
          #expect(request.headers.first(name: "Authorization") == "Bearer t")
          #expect(request.headers.first(name: "Host") == "127.0.0.1:\(server.port)")
        case .frame(let frame): frames.append(frame)
        case .closed: break
        }
        if case .closed = event { break }
      }
      #expect(frames == [.data("hello"), Frame(.connectionClose, [0x03, 0xe8])])
    }
  }

  @Test func `Bytes that arrive together with the upgrade response are not lost`() async throws {
    var script = LoopbackPodServer.Script()
    script.greeting = [
      Frame(.binary, [0], isFinal: false), Frame(.continuation, [0x90, 0x1f]), Frame(.binary, [1, 0x90, 0x1f]),
      .data("220 mail.test "), .data("ready\r\n"), Frame(.ping, [1]),
    ]
    try await withForward(script) { client, _ in
      let (channel, collector) = try await open(client)
      let received = await collector.received(21)
      #expect(received.text == "220 mail.test ready\r\n")
      try await channel.close()
    }
  }

  @Test func `A port-forward without automatic reads delivers bytes when a read is requested`() async throws {
    var script = LoopbackPodServer.Script()
    script.greeting = [.ports, .data("abc")]
    try await withForward(script) { client, server in
      let (channel, collector) = try await open(client, starts: false)
      channel.read()
      let first = await collector.received(3)
      #expect(first.text == "abc")
      try await channel.close()
    }
  }

  @Test func `A large write to a port-forward is cut into frames and arrives whole`() async throws {
    try await withForward(LoopbackPodServer.Script()) { client, server in
      let (channel, collector) = try await open(client)
      let text = String(repeating: "0123456789", count: 30_000)
      try await channel.writeAndFlush(ByteBuffer(string: text))
      let received = await collector.received(text.utf8.count)
      #expect(received.text == text)
      try await channel.close()
      var sizes: [Int] = []
      for await event in server.events {
        if case .frame(let frame) = event, frame.opcode == .binary { sizes.append(frame.bytes.count - 1) }
        if case .closed = event { break }
      }
      #expect(sizes == [65536, 65536, 65536, 65536, 37856])
    }
  }

  @Test func `A node's error is reported and closes the port-forward`() async throws {
    var script = LoopbackPodServer.Script()
    script.answer = { frame in
      frame.opcode == .binary
        ? [
          .data("partial"), Frame(.binary, [1, 0x90], isFinal: false),
          Frame(.continuation, [0x1f] + Array("connect: connection refused\n".utf8)), .data("late"),
        ] : []
    }
    try await withForward(script) { client, _ in
      let (channel, collector) = try await open(client)
      try await channel.writeAndFlush(ByteBuffer(string: "x"))
      let received = await collector.received()
      #expect(received.text == "partial")
      #expect(received.errors == [.remote("connect: connection refused")])
      try await channel.closeFuture.get()
    }
  }

  @Test func `A node's error at the very start of a port-forward is reported`() async throws {
    var script = LoopbackPodServer.Script()
    script.greeting = [.ports, Frame(.binary, [1, 0x90, 0x1f]), .error("no such container")]
    try await withForward(script) { client, _ in
      // The words may be in the packet of the consent or come behind it.
      do {
        let (_, collector) = try await open(client)
        let received = await collector.received()
        #expect(received.errors == [.remote("no such container")])
      } catch let error as PortForwardError {
        #expect(error == .remote("no such container"))
      }
    }
  }

  @Test func `A node's error in a port-forward is reported even if the connection ends with it`() async throws {
    var script = LoopbackPodServer.Script()
    script.greeting = [.ports, Frame(.binary, [1, 0x90, 0x1f]), .error("no such container")]
    script.closesAtOnce = true
    try await withForward(script) { client, _ in
      let error = try await caught(PortForwardError.self) {
        let (_, collector) = try await open(client)
        let received = await collector.received()
        if let error = received.errors.first { throw error }
      }
      #expect(error == .remote("no such container"))
    }
  }

  @Test func `A server's close frame is answered, and an abnormal one is reported with its reason`() async throws {
    for (frame, expected) in [
      (Frame(.connectionClose, [0x03, 0xe8]), []),
      (
        Frame(.connectionClose, [0x03, 0xf3] + Array("node is gone".utf8)),
        [
          PortForwardError.closed(code: 1011, reason: "node is gone")
        ]
      ),
    ] {
      var script = LoopbackPodServer.Script()
      script.answer = { seen in seen.opcode == .binary ? [.data("bye"), frame] : [] }
      try await withForward(script) { client, server in
        let (channel, collector) = try await open(client)
        try await channel.writeAndFlush(ByteBuffer(string: "x"))
        let received = await collector.received()
        #expect(received.text == "bye")
        #expect(received.errors == expected)
        // The close is answered in kind.
        var last: Frame?
        for await event in server.events {
          if case .frame(let frame) = event { last = frame }
          if case .closed = event { break }
        }
        #expect(last?.opcode == .connectionClose)
      }
    }
  }

  @Test func `A connection that ends without a close frame closes the port-forward`() async throws {
    var script = LoopbackPodServer.Script()
    script.closesAtOnce = true
    script.greeting = [.ports, .data("last words")]
    try await withForward(script) { client, _ in
      do {
        let (channel, collector) = try await open(client)
        let received = await collector.received()
        #expect(received.text == "last words")
        try await channel.closeFuture.get()
      } catch let error as KubeError {
        // The end was faster than the upgrade.
        #expect(error.isTransient)
      } catch {
        // The end was faster than the handler.
        #expect(error is ChannelError || error is ChannelPipelineError, "\(error)")
      }
    }
  }

  @Test func `A refused port-forward is reported in the API server's own words`() async throws {
    let words = #"pods "myapp1-x" is forbidden: User "dev" cannot create resource "pods/portforward""#
    let body = String(decoding: statusObject(403, reason: "Forbidden", message: words).text, as: UTF8.self)
    var script = LoopbackPodServer.Script()
    script.refusal = { _ in (403, body) }
    try await withForward(script) { client, _ in
      let error = try await caught(KubeError.self) { _ = try await open(client) }
      #expect(error?.isForbidden == true)
      #expect(error?.message.what == "the cluster refused to forward port 8080 of pods/myapp1-x in namespace shop")
      #expect(error?.message.why == words)
    }
    script.refusal = { _ in (502, "<html><title>Bad Gateway</title></html>") }
    try await withForward(script) { client, _ in
      let error = try await caught(KubeError.self) { _ = try await open(client) }
      #expect(error?.status == APIStatus(code: 502, message: "Bad Gateway"))
    }
    script.refusal = { _ in (200, "hello") }
    try await withForward(script) { client, _ in
      let error = try await caught(KubeError.self) { _ = try await open(client) }
      #expect(error?.status?.code == 200)
    }
  }

  @Test(arguments: ["v5.channel.k8s.io", nil])
  func `A port-forward over another subprotocol is refused`(offered: String?) async throws {
    var script = LoopbackPodServer.Script()
    script.subprotocol = offered
    try await withForward(script) { client, _ in
      let error = try await caught(PortForwardError.self) { _ = try await open(client) }
      #expect(error == .subprotocolRefused(offered))
    }
  }

  @Test func `A port-forward with refused credentials is reported as unauthorized`() async throws {
    var script = LoopbackPodServer.Script()
    script.refusal = { _ in (401, "Unauthorized") }
    try await withForward(script) { client, _ in
      let error = try await caught(KubeError.self) { _ = try await open(client) }
      #expect(error == .unauthorized(context: "c", server: client.server, words: "Unauthorized"))
    }
  }

  @Test func `A port-forward refuses a half-close and stays open`() async throws {
    try await withForward(LoopbackPodServer.Script()) { client, _ in
      let (channel, _) = try await open(client)
      await #expect(throws: ChannelError.operationUnsupported) { try await channel.close(mode: .output) }
      #expect(channel.isActive)
      try await channel.close()
    }
  }

  @Test func `A port-forward without a response in time is given up`() async throws {
    var options = KubeClient.Options.quick
    options.requestTimeout = .milliseconds(50)
    let server = try await LoopbackServer.start { _, _ in [] }
    let access = ClusterAccess(server: "http://127.0.0.1:\(server.port)", contextName: "c")
    try await withClient(access, options: options) { client in
      let error = try await caught(KubeError.self) { _ = try await open(client) }
      #expect(error == .transport(.responseTimeout, server: client.server))
    }
    try await server.stop()
  }

  @Test func `A port-forward that is being opened ends when its task is cancelled`() async throws {
    let server = try await LoopbackServer.start { _, _ in [] }
    let access = ClusterAccess(server: "http://127.0.0.1:\(server.port)", contextName: "c")
    try await withClient(access) { client in
      let opening = Task { try await open(client).0.isActive }
      for await event in server.events {
        if case .request = event { break }
      }
      opening.cancel()
      await #expect(throws: CancellationError.self) { try await opening.value }
    }
    try await server.stop()
  }

  @Test(arguments: ["none", "http", "https", "socks5"])
  func `A port-forward works over TLS and through any kind of proxy`(scheme: String) async throws {
    let certificates = try Certificates.shared.get()
    let server = try await LoopbackPodServer.start(
      LoopbackPodServer.Script(),
      tls: try serverTLS(certificates.addressed, clientAuthority: certificates.authority))
    let proxy = try await LoopbackProxy.start(
      scheme == "socks5" ? .socks : .http(requiredAuthorization: nil),
      tls: scheme == "https" ? try serverTLS(certificates.addressed) : nil)
    let access = ClusterAccess(
      server: "https://127.0.0.1:\(server.port)", certificateAuthority: certificates.authority,
      proxyURL: scheme == "none" ? nil : "\(scheme)://127.0.0.1:\(proxy.port)", contextName: "c",
      credentials: Credentials(
        clientCertificate: .init(certificate: certificates.user.certificate, key: certificates.user.key)))
    try await withClient(access) { client in
      let (channel, collector) = try await open(client)
      try await channel.writeAndFlush(ByteBuffer(string: "through"))
      let received = await collector.received(7)
      #expect(received.text == "through")
      try await channel.close()
    }
    #expect(proxy.targets == (scheme == "none" ? [] : ["127.0.0.1:\(server.port)"]))
    try await server.stop()
    try await proxy.stop()
  }

  @Test func `A port-forward refuses a certificate that is not trusted`() async throws {
    let certificates = try Certificates.shared.get()
    let server = try await LoopbackPodServer.start(
      LoopbackPodServer.Script(), tls: try serverTLS(certificates.addressed))
    let proxy = try await LoopbackProxy.start(.socks)
    var access = ClusterAccess(
      server: "https://10.9.8.7:\(server.port)", certificateAuthority: certificates.authority,
      proxyURL: "socks5://127.0.0.1:\(proxy.port)", contextName: "c")
    for _ in 0..<2 {
      try await withClient(access) { client in
        let error = try await caught(KubeError.self) { _ = try await open(client) }
        guard case .transport(.certificateNotTrusted, _) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
      }
      access.server = "https://127.0.0.1:\(server.port)"
      access.proxyURL = nil
      access.certificateAuthority = certificates.otherAuthority
    }
    try await server.stop()
    try await proxy.stop()
  }
}
