// One request and its answer, as they pass the proxy. The answer of a watch never ends by itself; each line of it is an
// event, which faults can hold, exchange for another, or end the watch with.

internal import DevrunCore
internal import NIOCore
internal import NIOHTTP1

final class Exchange: Passage {
  let request: ProxiedRequest
  var isStream: Bool { request.isWatch }
  private let client: any Channel
  private let switchboard: Switchboard
  private var server: (any Channel)?
  private var isOver = false
  /// What is held, in order.
  private var held: [HTTPServerResponsePart] = []
  private var line = ByteBuffer()
  /// An event that waits for the next one to go first.
  private var overtaken: ByteBuffer?
  private var hasHead = false

  init(_ request: ProxiedRequest, client: any Channel, _ switchboard: Switchboard) {
    self.request = request
    self.client = client
    self.switchboard = switchboard
  }

  /// Passes the request on.
  func start(_ head: HTTPRequestHead, _ body: ByteBuffer) {
    switchboard.begin(self)
    let exchange = NIOLoopBound(self, eventLoop: switchboard.loop)
    switchboard.upstream.connect(on: switchboard.loop) { pipeline in
      try pipeline.addHTTPClientHandlers()
      try pipeline.addHandler(ServerHandler(exchange.value))
    }.assumeIsolated().whenComplete { [self] result in
      guard case .success(let server) = result, !isOver else {
        if case .success(let server) = result { server.close(promise: nil) }
        return close()
      }
      self.server = server
      server.write(HTTPClientRequestPart.head(head), promise: nil)
      if body.readableBytes > 0 { server.write(HTTPClientRequestPart.body(.byteBuffer(body)), promise: nil) }
      server.writeAndFlush(HTTPClientRequestPart.end(nil), promise: nil)
    }
  }

  func close() {
    guard !isOver else { return }
    isOver = true
    switchboard.end(self)
    server?.close(promise: nil)
    client.close(promise: nil)
  }

  func reconsider() {
    if isStream {
      if switchboard.take(for: request, { $0 == .cut }) != nil { return close() }
      if hasHead, switchboard.take(for: request, { $0 == .expire }) != nil { return expire() }
    }
    flush()
  }

  // MARK: - The answer

  fileprivate func received(_ part: HTTPClientResponsePart) {
    guard !isOver else { return }
    switch part {
    case .head(var head):
      // The answer's beginning is there: the server has done what it was asked for.
      if head.status.code < 300, switchboard.take(for: request, { $0 == .loseAnswer }) != nil { return close() }
      head.headers.remove(name: "Connection")
      hasHead = true
      // A watch that is accepted is open, whatever becomes of its events.
      if isStream { client.writeAndFlush(HTTPServerResponsePart.head(head), promise: nil) } else { pass(.head(head)) }
      if isStream { reconsider() }
    case .body(var bytes):
      guard isStream else { return pass(.body(.byteBuffer(bytes))) }
      line.writeBuffer(&bytes)
      while let end = line.readableBytesView.firstIndex(of: UInt8(ascii: "\n")), !isOver {
        if let event = line.readSlice(length: end - line.readerIndex + 1) { passEvent(event) }
      }
    case .end:
      if let overtaken { pass(.body(.byteBuffer(overtaken))) }
      overtaken = nil
      pass(.end(nil))
    }
  }

  private func passEvent(_ event: ByteBuffer) {
    if let first = overtaken {
      overtaken = nil
      pass(.body(.byteBuffer(event)))
      pass(.body(.byteBuffer(first)))
    } else if !isBookmark(event), switchboard.take(for: request, { $0 == .reorder }) != nil {
      overtaken = event
    } else {
      pass(.body(.byteBuffer(event)))
    }
  }

  /// A bookmark is no event of an object. It says that all earlier ones have been sent.
  private func isBookmark(_ event: ByteBuffer) -> Bool {
    String(buffer: event).prefix(40).contains("\"BOOKMARK\"")
  }

  private func pass(_ part: HTTPServerResponsePart) {
    _ = switchboard.holder(of: request)?.take(request)
    held.append(part)
    flush()
  }

  private func flush() {
    guard !isOver, !held.isEmpty, switchboard.holder(of: request) == nil else { return }
    let parts = held
    held = []
    for part in parts {
      client.write(part, promise: nil)
      if case .end = part { finish() }
    }
    client.flush()
  }

  /// Ends a watch by the event of an error, as the API server does it.
  private func expire() {
    let event: JSONValue = ["type": "ERROR", "object": FailureStatus(410, request).object]
    client.write(HTTPServerResponsePart.body(.byteBuffer(ByteBuffer(bytes: event.text + [10]))), promise: nil)
    client.writeAndFlush(HTTPServerResponsePart.end(nil), promise: nil)
    finish()
  }

  private func finish() {
    isOver = true
    switchboard.end(self)
    server?.close(promise: nil)
  }

  /// The server's connection was closed.
  fileprivate func ended() {
    // An answer that is complete and held is still to be passed.
    if case .end? = held.last { return }
    close()
  }
}

/// The connection to the server, for one request.
private final class ServerHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart

  private let exchange: Exchange

  init(_ exchange: Exchange) { self.exchange = exchange }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { exchange.received(unwrapInboundIn(data)) }

  func channelInactive(context: ChannelHandlerContext) { exchange.ended() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
