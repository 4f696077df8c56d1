import DevrunCore
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// How a server answers the request to become a WebSocket, other than by consent.
enum UpgradeRefusal: Error, Sendable {
  /// With an error's status and body.
  case status(Int, body: [UInt8])
  /// With what is no answer to this request.
  case invalid(String)
}

/// The client's side of a WebSocket's opening handshake (RFC 6455 section 4.1), in a channel that is connected.
///
/// Sends the request when added. When the server consents, it replaces itself by the frame decoder and `handler`, turns
/// `autoRead` off, passes the bytes that follow the consent to the new handlers, and succeeds the promise.
final class WebSocketUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// The one subprotocol that is offered.
  static let subprotocol = "v4.channel.k8s.io"

  private static let maximumFrameSize = 4 * 1024 * 1024

  private let uri: String
  private let headers: HTTPHeaders
  private let handler: PortForwardHandler
  private let promise: EventLoopPromise<Void>
  private let key = base64((0..<16).map { _ in UInt8.random(in: .min ... .max) })
  private var response = UpgradeResponse()
  private var isConcluded = false

  /// A handshake that asks for `uri`. `handler` is what speaks the WebSocket afterwards.
  init(uri: String, headers: HTTPHeaders, handler: PortForwardHandler, promise: EventLoopPromise<Void>) {
    self.uri = uri
    self.headers = headers
    self.handler = handler
    self.promise = promise
  }

  func handlerAdded(context: ChannelHandlerContext) {
    var headers = headers
    headers.add(name: "Connection", value: "Upgrade")
    headers.add(name: "Upgrade", value: "websocket")
    headers.add(name: "Sec-WebSocket-Version", value: "13")
    headers.add(name: "Sec-WebSocket-Key", value: key)
    headers.add(name: "Sec-WebSocket-Protocol", value: Self.subprotocol)
    // A line's end in a token, say, would begin another header.
    guard headers.allSatisfy({ header in header.value.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 } })
    else { return conclude(throwing: TransportFailure.other("a header's value has control characters"), context) }
    let lines = ["GET \(uri) HTTP/1.1"] + headers.map { "\($0.name): \($0.value)" }
    context.writeAndFlush(
      wrapOutboundOut(ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n")), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isConcluded { return context.fireChannelRead(data) }
    conclude(response.receive(unwrapInboundIn(data)), context)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if !isConcluded {
      let reading = response.receive(nil)
      if reading == .invalid {
        conclude(throwing: TransportFailure.dropped("the other side closed it before it answered"), context)
      } else {
        conclude(reading, context)
      }
    }
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    conclude(throwing: error, context)
  }

  private func conclude(_ reading: UpgradeResponse.Reading, _ context: ChannelHandlerContext) {
    do {
      switch reading {
      case .incomplete: return
      case .switched(let headers, let rest):
        try check(headers)
        isConcluded = true
        try replaceHandlers(rest: rest, context)
      case .refused(let status, let body): throw UpgradeRefusal.status(status, body: body)
      case .invalid: throw UpgradeRefusal.invalid("the answer to the WebSocket handshake is no HTTP")
      }
    } catch {
      conclude(throwing: error, context)
    }
  }

  private func conclude(throwing error: any Error, _ context: ChannelHandlerContext) {
    isConcluded = true
    promise.fail(error)
    context.close(promise: nil)
  }

  private func check(_ headers: HTTPHeaders) throws {
    let checker = NIOWebSocketClientUpgrader(requestKey: key) { channel, _ in
      channel.eventLoop.makeSucceededVoidFuture()
    }
    let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    guard headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }),
      checker.shouldAllowUpgrade(upgradeResponse: head)
    else { throw UpgradeRefusal.invalid("the answer to the WebSocket handshake does not fit the request") }
    let chosen = headers.first(name: "Sec-WebSocket-Protocol")
    guard chosen == Self.subprotocol else { throw PortForwardError.subprotocolRefused(chosen) }
  }

  private func replaceHandlers(rest: ByteBuffer, _ context: ChannelHandlerContext) throws {
    let pipeline = context.pipeline.syncOperations
    let frames = ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Self.maximumFrameSize))
    try pipeline.addHandler(frames, position: .after(self))
    try pipeline.addHandler(handler, position: .after(frames))
    let promise = promise
    context.channel.setOption(.autoRead, value: false).whenFailure { promise.fail($0) }
    if rest.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(rest))
      context.fireChannelReadComplete()
    }
    pipeline.removeHandler(context: context).cascade(to: promise)
  }
}
