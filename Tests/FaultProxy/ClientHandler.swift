internal import DevrunCore
internal import NIOCore
internal import NIOHTTP1

/// A client's connection: reads one request after the other, and answers it or passes it on.
final class ClientHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let switchboard: Switchboard
  private let decoder: ByteToMessageHandler<HTTPRequestDecoder>
  private let encoder: HTTPResponseEncoder
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()
  private var exchange: Exchange?

  private init(
    _ switchboard: Switchboard, _ decoder: ByteToMessageHandler<HTTPRequestDecoder>, _ encoder: HTTPResponseEncoder
  ) {
    self.switchboard = switchboard
    self.decoder = decoder
    self.encoder = encoder
  }

  /// Adds what reads a client's requests.
  static func add(to pipeline: ChannelPipeline.SynchronousOperations, _ switchboard: Switchboard) throws {
    let decoder = ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes))
    let encoder = HTTPResponseEncoder()
    try pipeline.addHandlers(encoder, decoder, ClientHandler(switchboard, decoder, encoder))
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body.clear()
    case .body(var bytes): body.writeBuffer(&bytes)
    case .end:
      guard let head else { return }
      self.head = nil
      handle(head, context)
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    exchange?.close()
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func handle(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let request = ProxiedRequest(
      method: head.method.rawValue, uri: head.uri, body: Array(body.readableBytesView))
    guard head.headers["Authorization"] == [switchboard.authorization] else {
      return answer(401, retryAfter: nil, request, context)
    }
    for counted in switchboard.faults(for: request) where counted.fault == .pass { _ = counted.take(request) }
    let fault = switchboard.take(for: request) { fault in
      switch fault {
      case .answer, .cut: true
      default: false
      }
    }
    switch fault?.fault {
    case .answer(let status, let retryAfter): return answer(status, retryAfter: retryAfter, request, context)
    case .cut: return context.close(promise: nil)
    default: break
    }
    var headers = head.headers
    headers.replaceOrAdd(name: "Host", value: switchboard.upstream.authority)
    headers.remove(name: "Authorization")
    if let authorization = switchboard.upstream.authorization {
      headers.add(name: "Authorization", value: authorization)
    }
    let isUpgrade = headers.contains(name: "Upgrade")
    // A connection to the server is of one request alone, so that closing it concerns no other.
    if !isUpgrade { headers.replaceOrAdd(name: "Connection", value: "close") }
    let passedOn = HTTPRequestHead(version: .http1_1, method: head.method, uri: head.uri, headers: headers)
    if isUpgrade {
      become(ByteRelay(request, client: context.channel, switchboard), passedOn, context)
    } else {
      let exchange = Exchange(request, client: context.channel, switchboard)
      self.exchange = exchange
      exchange.start(passedOn, body)
    }
  }

  /// Leaves the connection to a relay of bytes: what follows is a WebSocket.
  private func become(_ relay: ByteRelay, _ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let pipeline = context.pipeline.syncOperations
    do {
      try pipeline.addHandler(relay.clientEnd)
      for removed in [
        pipeline.removeHandler(context: context), pipeline.removeHandler(decoder), pipeline.removeHandler(encoder),
      ] {
        removed.assumeIsolated().whenFailure { _ in relay.close() }
      }
      relay.start(head)
    } catch {
      context.close(promise: nil)
    }
  }

  /// Answers in the form of the API server's own failures (`meta/v1` Status).
  private func answer(_ code: Int, retryAfter: Int?, _ request: ProxiedRequest, _ context: ChannelHandlerContext) {
    let status = HTTPResponseStatus(statusCode: code)
    var headers: HTTPHeaders = ["Content-Type": "application/json"]
    if let retryAfter { headers.add(name: "Retry-After", value: "\(retryAfter)") }
    let text = FailureStatus(code, retryAfter: retryAfter, request).text
    headers.add(name: "Content-Length", value: "\(text.count)")
    context.write(
      wrapOutboundOut(.head(HTTPResponseHead(version: .http1_1, status: status, headers: headers))), promise: nil)
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: text)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }
}
