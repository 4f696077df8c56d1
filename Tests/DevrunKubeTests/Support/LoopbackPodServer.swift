import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket

@testable import DevrunKube

/// An API server on loopback that knows one thing, to forward ports over WebSocket, as a script says.
final class LoopbackPodServer: Sendable {
  /// What the server does.
  struct Script: Sendable {
    /// Sent in the same packet as the consent to the upgrade.
    var greeting = [Frame.ports]
    /// The subprotocol that is agreed to.
    var subprotocol: String? = "v4.channel.k8s.io"
    /// In place of consent: a status and a body.
    var refusal: (@Sendable (SeenRequest) -> (Int, String)?)?
    /// What is done about each frame of the client; by default its data goes back.
    var answer: @Sendable (Frame) -> [Frame] = { frame in
      switch frame.opcode {
      case .binary: [frame]
      case .ping: [Frame(.pong, frame.bytes)]
      default: []
      }
    }
    /// Closes the TCP connection behind the greeting.
    var closesAtOnce = false
  }

  struct Frame: Sendable, Equatable {
    var opcode: WebSocketOpcode
    var bytes: [UInt8]
    var isFinal: Bool

    init(_ opcode: WebSocketOpcode, _ bytes: [UInt8], isFinal: Bool = true) {
      self.opcode = opcode
      self.bytes = bytes
      self.isFinal = isFinal
    }

    static func data(_ text: String) -> Frame { Frame(.binary, [0] + Array(text.utf8)) }
    static func error(_ text: String) -> Frame { Frame(.binary, [1] + Array(text.utf8)) }
    /// The beginning of channel 0 of port 8080; in one message, as a fragment, so that it is another fault to survive.
    static let ports = Frame(.binary, [0, 0x90, 0x1f])

    /// The frame as a server sends it: not masked.
    var encoded: ByteBuffer {
      var buffer = ByteBuffer(integer: (isFinal ? 0x80 : 0) | UInt8(webSocketOpcode: opcode))
      switch bytes.count {
      case ..<126: buffer.writeInteger(UInt8(bytes.count))
      case ..<65536:
        buffer.writeInteger(UInt8(126))
        buffer.writeInteger(UInt16(bytes.count))
      default:
        buffer.writeInteger(UInt8(127))
        buffer.writeInteger(UInt64(bytes.count))
      }
      buffer.writeBytes(bytes)
      return buffer
    }
  }

  enum Event: Sendable {
    case request(SeenRequest)
    case frame(Frame)
    case closed
  }

  let port: Int
  let events: AsyncStream<Event>
  private let channel: any Channel

  static func start(_ script: Script, tls: TLSConfiguration? = nil) async throws -> LoopbackPodServer {
    let (events, continuation) = AsyncStream.makeStream(of: Event.self)
    let channel = try await listenOnLoopback(tls: tls) { pipeline in
      let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
      try pipeline.addHandler(decoder)
      try pipeline.addHandler(UpgradeServer(script, decoder: decoder) { continuation.yield($0) })
    }
    return LoopbackPodServer(channel: channel, events: events)
  }

  private init(channel: any Channel, events: AsyncStream<Event>) {
    self.channel = channel
    self.events = events
    port = channel.localAddress?.port ?? 0
  }

  func stop() async throws { try await channel.close() }
}

private final class UpgradeServer: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = ByteBuffer

  private let script: LoopbackPodServer.Script
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private let note: (LoopbackPodServer.Event) -> Void
  private var head: HTTPRequestHead?

  init(
    _ script: LoopbackPodServer.Script, decoder: ByteToMessageHandler<HTTPRequestDecoder>,
    note: @escaping (LoopbackPodServer.Event) -> Void
  ) {
    self.script = script
    self.decoder = decoder
    self.note = note
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): self.head = head
    case .body: break
    case .end: if let head { respond(to: head, context) }
    }
  }

  private func respond(to head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let request = SeenRequest(method: head.method, uri: head.uri, headers: head.headers, body: [])
    note(.request(request))
    if let (status, body) = script.refusal?(request) {
      let text = "HTTP/1.1 \(status) No\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: text)), promise: nil)
      return
    }
    let upgrader = NIOWebSocketServerUpgrader(
      shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture([:]) },
      upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    upgrader.buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: [:])
      .whenSuccess { headers in
        let (handler, context) = bound.value
        handler.accept(headers, context)
      }
  }

  private func accept(_ headers: HTTPHeaders, _ context: ChannelHandlerContext) {
    var text = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    for (name, value) in headers where name.lowercased() == "sec-websocket-accept" { text += "\(name): \(value)\r\n" }
    if let subprotocol = script.subprotocol { text += "Sec-WebSocket-Protocol: \(subprotocol)\r\n" }
    var packet = ByteBuffer(string: text + "\r\n")
    for frame in script.greeting {
      var bytes = frame.encoded
      packet.writeBuffer(&bytes)
    }
    let pipeline = context.pipeline.syncOperations
    do {
      try pipeline.addHandler(ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: 1 << 20)))
      try pipeline.addHandler(FrameServer(script, note: note))
    } catch {
      context.close(promise: nil)
    }
    context.writeAndFlush(wrapOutboundOut(packet), promise: nil)
    pipeline.removeHandler(self, promise: nil)
    pipeline.removeHandler(decoder, promise: nil)
    if script.closesAtOnce { context.channel.close(promise: nil) }
  }
}

private final class FrameServer: ChannelInboundHandler {
  typealias InboundIn = WebSocketFrame
  typealias OutboundOut = ByteBuffer

  private let script: LoopbackPodServer.Script
  private let note: (LoopbackPodServer.Event) -> Void

  init(_ script: LoopbackPodServer.Script, note: @escaping (LoopbackPodServer.Event) -> Void) {
    self.script = script
    self.note = note
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelInactive(context: ChannelHandlerContext) { note(.closed) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let frame = unwrapInboundIn(data)
    let seen = LoopbackPodServer.Frame(frame.opcode, Array(frame.unmaskedData.readableBytesView), isFinal: frame.fin)
    note(.frame(seen))
    for answer in script.answer(seen) { context.writeAndFlush(wrapOutboundOut(answer.encoded), promise: nil) }
  }
}
