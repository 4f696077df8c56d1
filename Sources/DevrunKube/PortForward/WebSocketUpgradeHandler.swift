import DevrunCore
import Foundation
import NIOCore
import NIOHTTP1
import NIOWebSocket

/// How a server answers the request to become a WebSocket.
enum UpgradeRefusal: Error, Sendable {
  /// With an error's status and body.
  case status(Int, body: [UInt8])
  /// With what is no answer to this request.
  case invalid(String)
}

/// The client's side of a WebSocket's opening handshake (RFC 6455 section 4.1), in a channel that is connected.
///
/// Sends the request when added. On the server's consent it replaces itself and the HTTP handlers by the frame decoder and
/// `handler`, stops reading, and succeeds the promise; bytes that came behind the consent go through the new handlers.
final class WebSocketUpgradeHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  /// The one subprotocol that is offered.
  static let subprotocol = "v4.channel.k8s.io"

  private static let maximumBodySize = 65536
  private static let maximumFrameSize = 4 * 1024 * 1024

  private let uri: String
  private let headers: HTTPHeaders
  private let handler: PortForwardHandler
  private let promise: EventLoopPromise<Void>
  private let key = base64((0..<16).map { _ in UInt8.random(in: .min ... .max) })
  private var response: (head: HTTPResponseHead, body: [UInt8])?
  private var isUpgraded = false
  /// What came behind the consent, as bytes.
  private var kept: [NIOAny] = []

  /// A handshake that asks for `uri`. `handler` is what speaks the WebSocket afterwards.
  init(uri: String, headers: HTTPHeaders, handler: PortForwardHandler, promise: EventLoopPromise<Void>) {
    self.uri = uri
    self.headers = headers
    self.handler = handler
    self.promise = promise
  }

  /// Adds the handlers of the handshake to a connected channel; on its event loop.
  static func add(_ upgrade: WebSocketUpgradeHandler, to channel: any Channel) throws {
    let pipeline = channel.pipeline.syncOperations
    try pipeline.addHandlers(
      [HTTPRequestEncoder(), ByteToMessageHandler(HTTPResponseDecoder(leftOverBytesStrategy: .forwardBytes)), upgrade])
  }

  func handlerAdded(context: ChannelHandlerContext) {
    var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
    head.headers.add(name: "Connection", value: "Upgrade")
    head.headers.add(name: "Upgrade", value: "websocket")
    head.headers.add(name: "Sec-WebSocket-Version", value: "13")
    head.headers.add(name: "Sec-WebSocket-Key", value: key)
    head.headers.add(name: "Sec-WebSocket-Protocol", value: Self.subprotocol)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isUpgraded {
      kept.append(data)
      return
    }
    switch unwrapInboundIn(data) {
    case .head(let head): response = (head, [])
    case .body(let bytes):
      guard let count = response?.body.count else { return }
      response?.body += bytes.readableBytesView.prefix(Self.maximumBodySize - count)
    case .end: conclude(context)
    }
  }

  func removeHandler(context: ChannelHandlerContext, removalToken: ChannelHandlerContext.RemovalToken) {
    let kept = kept
    self.kept = []
    for data in kept { context.fireChannelRead(data) }
    if !kept.isEmpty { context.fireChannelReadComplete() }
    context.leavePipeline(removalToken: removalToken)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    if response != nil, !isUpgraded {
      conclude(context)
    } else {
      promise.fail(TransportFailure.dropped("the other side closed it before it answered"))
    }
    context.fireChannelInactive()
  }

  private func conclude(_ context: ChannelHandlerContext) {
    guard let (head, body) = response, !isUpgraded else { return }
    do {
      guard head.status == .switchingProtocols else {
        throw UpgradeRefusal.status(Int(head.status.code), body: body)
      }
      try check(head)
      isUpgraded = true
      try replaceHandlers(context)
    } catch {
      promise.fail(error)
      context.close(promise: nil)
    }
  }

  private func check(_ head: HTTPResponseHead) throws {
    let checker = NIOWebSocketClientUpgrader(requestKey: key) { channel, _ in
      channel.eventLoop.makeSucceededVoidFuture()
    }
    guard head.headers[canonicalForm: "upgrade"].contains(where: { $0.lowercased() == "websocket" }),
      checker.shouldAllowUpgrade(upgradeResponse: head)
    else { throw UpgradeRefusal.invalid("the answer to the WebSocket handshake does not fit the request") }
    let chosen = head.headers.first(name: "Sec-WebSocket-Protocol")
    guard chosen == Self.subprotocol else { throw PortForwardError.subprotocolRefused(chosen) }
  }

  /// The order matters: what came behind the consent comes out of the decoder when that is removed, which takes a turn
  /// of the event loop, and nothing but HTTP may be written until then. So it is kept here, and the new handlers come
  /// when the old ones are gone.
  private func replaceHandlers(_ context: ChannelHandlerContext) throws {
    let channel = context.channel
    let pipeline = context.pipeline.syncOperations
    let upgrade = NIOLoopBound(self, eventLoop: context.eventLoop)
    let encoder = NIOLoopBound(try pipeline.handler(type: HTTPRequestEncoder.self), eventLoop: context.eventLoop)
    let decoder = NIOLoopBound(
      try pipeline.handler(type: ByteToMessageHandler<HTTPResponseDecoder>.self), eventLoop: context.eventLoop)
    channel.setOption(.autoRead, value: false)
      .flatMap { channel.pipeline.syncOperations.removeHandler(encoder.value) }
      .flatMap { channel.pipeline.syncOperations.removeHandler(decoder.value) }
      .flatMapThrowing {
        let frames = ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: Self.maximumFrameSize))
        let upgrade = upgrade.value
        try channel.pipeline.syncOperations.addHandler(frames, position: .after(upgrade))
        try channel.pipeline.syncOperations.addHandler(upgrade.handler, position: .after(frames))
      }
      .flatMap { channel.pipeline.syncOperations.removeHandler(upgrade.value) }
      .cascade(to: promise)
  }
}
