internal import DevrunCore
internal import DevrunKube
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// Serves one client's connection: one request after the other, or a port-forward.
struct APIConnection: Sendable {
  /// An HTTP connection's channel.
  typealias HTTP = NIOAsyncChannel<HTTPServerRequestPart, HTTPPart<HTTPResponseHead, ByteBuffer>>
  private typealias Parts = NIOAsyncChannelInboundStream<HTTPServerRequestPart>
  private typealias PartWriter = NIOAsyncChannelOutboundWriter<HTTPPart<HTTPResponseHead, ByteBuffer>>

  /// What becomes of a connection with its first request.
  enum Purpose: Sendable {
    case requests(HTTP)
    case portForward(PortForwardRelay.WebSocket, PortForwardRequest)
  }

  /// Who answers.
  let responder: APIResponder
  /// Whose requests they are.
  let identities: ClusterIdentities

  /// The API server takes bodies of this size at most.
  private static let maximumBodySize = 3 * 1024 * 1024

  /// Serves until the client ends the connection, or the task is cancelled.
  func run(_ purpose: Purpose) async throws {
    switch purpose {
    case .portForward(let socket, let request):
      try await whileOpen(socket.channel) {
        try await PortForwardRelay(request: request, node: responder.node).run(socket)
      }
    case .requests(let http):
      try await whileOpen(http.channel) {
        try await http.executeThenClose { parts, writer in try await serve(http.channel, parts, writer) }
      }
    }
  }

  /// Runs a body as long as a connection is open. The client's end cancels it, even if it only waits for something to
  /// write; a cancellation closes the connection.
  private func whileOpen(_ channel: any Channel, _ body: @escaping @Sendable () async throws -> Void) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await withTaskCancellationHandler {
          // The body closes the channel at its end.
          try await channel.closeFuture.get()
        } onCancel: {
          channel.close(promise: nil)
        }
      }
      group.addTask { try await body() }
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private func serve(_ channel: any Channel, _ parts: Parts, _ writer: PartWriter) async throws {
    let certificate = try await channel.nioSSL_peerCertificate().get()
    let der = try certificate?.toDERBytes()
    var iterator = parts.makeAsyncIterator()
    while let part = try await iterator.next() {
      guard case .head(let head) = part else { continue }
      var body = ByteBuffer()
      reading: while let part = try await iterator.next() {
        switch part {
        case .body(let bytes):
          // What is too long is read to its end, so that the client reads the answer.
          if body.readableBytes <= Self.maximumBodySize { body.writeImmutableBuffer(bytes) }
        case .end: break reading
        case .head: throw HTTPParserError.unknown
        }
      }
      let answer = await answer(head, body, certificate: der)
      try await send(answer, to: head, channel, writer)
      if !head.isKeepAlive { return }
    }
  }

  private func answer(_ head: HTTPRequestHead, _ body: ByteBuffer, certificate: [UInt8]?) async -> APIAnswer {
    guard let user = identities.user(of: head, certificate: certificate) else { return .failure(.unauthorized()) }
    guard body.readableBytes <= Self.maximumBodySize else {
      let words = "Request entity too large: limit is \(Self.maximumBodySize)"
      return .failure(
        APIFailure(APIStatus(code: 413, reason: "RequestEntityTooLarge", message: words)))
    }
    var request = APIRequest(head, user: user)
    request.body = Array(body.readableBytesView)
    return await responder.answer(request)
  }

  // MARK: - Answers

  private func send(
    _ answer: APIAnswer, to head: HTTPRequestHead, _ channel: any Channel, _ writer: PartWriter
  ) async throws {
    switch answer {
    case .json(let json, let status):
      try await send(json.text, "application/json", status, to: head, writer)
    case .bytes(let bytes, let type, let status): try await send(bytes, type, status, to: head, writer)
    case .stream(let type, let body):
      try await writer.write(.head(response(200, type, length: nil, to: head)))
      try await body { part in try await writer.write(.body(part)) }
    }
    // Waits until all is written: closing the channel would drop the rest.
    try await channel.writeAndFlush(HTTPPart<HTTPResponseHead, ByteBuffer>.end(nil)).get()
  }

  private func send(
    _ bytes: [UInt8], _ type: String, _ status: Int, to head: HTTPRequestHead, _ writer: PartWriter
  ) async throws {
    try await writer.write(.head(response(status, type, length: bytes.count, to: head)))
    try await writer.write(.body(ByteBuffer(bytes: bytes)))
  }

  private func response(
    _ status: Int, _ type: String, length: Int?, to head: HTTPRequestHead
  ) -> HTTPResponseHead {
    var headers: HTTPHeaders = ["Content-Type": type, "Cache-Control": "no-cache, private"]
    if let length {
      headers.add(name: "Content-Length", value: String(length))
    } else {
      headers.add(name: "Transfer-Encoding", value: "chunked")
    }
    if !head.isKeepAlive { headers.add(name: "Connection", value: "close") }
    return HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
  }
}

/// Lets buffers be written as bodies of responses, whose own type cannot be sent between tasks.
final class ResponseBodyHandler: ChannelOutboundHandler {
  typealias OutboundIn = HTTPPart<HTTPResponseHead, ByteBuffer>
  typealias OutboundOut = HTTPServerResponsePart

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    let part: HTTPServerResponsePart =
      switch unwrapOutboundIn(data) {
      case .head(let head): .head(head)
      case .body(let bytes): .body(.byteBuffer(bytes))
      case .end(let trailers): .end(trailers)
      }
    context.write(wrapOutboundOut(part), promise: promise)
  }
}
