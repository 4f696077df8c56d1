import DevrunConfig
import DevrunCore
import DevrunSystem
import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

@testable import DevrunKube

/// A request as a loopback server saw it.
struct SeenRequest: Sendable {
  var method: HTTPMethod
  var uri: String
  var headers: HTTPHeaders
  var body: [UInt8]

  /// The path without the query.
  var path: String { String(uri.prefix { $0 != "?" }) }
  /// The body as JSON.
  var json: JSONValue? { try? JSONValue(text: body) }
}

/// What a loopback server does with a request.
enum Step: Sendable {
  case head(Int, HTTPHeaders)
  case chunk(String)
  case bytes([UInt8])
  case end
  /// Closes the connection.
  case close
}

extension [Step] {
  static func json(_ status: Int = 200, _ value: JSONValue, _ headers: HTTPHeaders = [:]) -> [Step] {
    text(status, String(decoding: value.text, as: UTF8.self), headers)
  }

  static func text(_ status: Int = 200, _ text: String, _ headers: HTTPHeaders = [:]) -> [Step] {
    var headers = headers
    headers.replaceOrAdd(name: "Content-Length", value: String(text.utf8.count))
    return [.head(status, headers), .chunk(text), .end]
  }

  static func protobuf(_ status: Int = 200, _ bytes: [UInt8]) -> [Step] {
    let headers = [("Content-Type", "application/vnd.kubernetes.protobuf"), ("Content-Length", "\(bytes.count)")]
    return [.head(status, HTTPHeaders(headers)), .bytes(bytes), .end]
  }

  static func status(_ code: Int, reason: String, message: String, _ headers: HTTPHeaders = [:]) -> [Step] {
    json(code, statusObject(code, reason: reason, message: message), headers)
  }
}

func statusObject(_ code: Int, reason: String, message: String) -> JSONValue {
  [
    "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": .int(Int64(code)), "reason": .string(reason),
    "message": .string(message),
  ]
}

/// An HTTP/1.1 server on loopback that answers as a closure says.
final class LoopbackServer: Sendable {
  let port: Int
  /// What happened, in order.
  let events: AsyncStream<Event>
  private let channel: any Channel
  private let seen: NIOLockedValueBox<[SeenRequest]>

  enum Event: Sendable {
    case request(SeenRequest)
    case connectionClosed
  }

  /// All requests until now.
  var requests: [SeenRequest] { seen.withLockedValue { $0 } }

  /// `answer` gets the request and how many came before it.
  static func start(
    tls: TLSConfiguration? = nil, answer: @escaping @Sendable (SeenRequest, Int) -> [Step]
  ) async throws -> LoopbackServer {
    let (events, continuation) = AsyncStream.makeStream(of: Event.self)
    let seen = NIOLockedValueBox<[SeenRequest]>([])
    let channel = try await listenOnLoopback(tls: tls) { pipeline in
      try pipeline.configureHTTPServerPipeline(withErrorHandling: false)
      try pipeline.addHandler(
        Responder { request in
          let index = seen.withLockedValue { seen in
            seen.append(request)
            return seen.count - 1
          }
          continuation.yield(.request(request))
          return answer(request, index)
        } closed: {
          continuation.yield(.connectionClosed)
        })
    }
    return LoopbackServer(channel: channel, port: channel.localAddress?.port ?? 0, events: events, seen: seen)
  }

  private init(channel: any Channel, port: Int, events: AsyncStream<Event>, seen: NIOLockedValueBox<[SeenRequest]>) {
    self.channel = channel
    self.port = port
    self.events = events
    self.seen = seen
  }

  func stop() async throws { try await channel.close() }
}

private final class Responder: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let answer: (SeenRequest) -> [Step]
  private let closed: () -> Void
  private var request: SeenRequest?

  init(_ answer: @escaping (SeenRequest) -> [Step], closed: @escaping () -> Void) {
    self.answer = answer
    self.closed = closed
  }

  func channelInactive(context: ChannelHandlerContext) { closed() }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      request = SeenRequest(method: head.method, uri: head.uri, headers: head.headers, body: [])
    case .body(let bytes): request?.body += bytes.readableBytesView
    case .end:
      guard let request else { return }
      for step in answer(request) {
        switch step {
        case .head(let status, let headers):
          let head = HTTPResponseHead(
            version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
          context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
        case .chunk(let text):
          context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
        case .bytes(let bytes):
          context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: bytes)))), promise: nil)
        case .end: context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        case .close: context.close(promise: nil)
        }
      }
    }
  }
}

/// Runs a body with a server, and with a client of it that is shut down afterwards.
func withServer(
  access: @Sendable (Int) -> ClusterAccess = { ClusterAccess(server: "http://127.0.0.1:\($0)", contextName: "test") },
  environment: EnvironmentVariables = [:], options: KubeClient.Options = .quick, tls: TLSConfiguration? = nil,
  answer: @escaping @Sendable (SeenRequest, Int) -> [Step],
  _ body: (KubeClient, LoopbackServer) async throws -> Void
) async throws {
  let server = try await LoopbackServer.start(tls: tls, answer: answer)
  try await withClient(access(server.port), environment: environment, options: options) { client in
    try await body(client, server)
  }
  try await server.stop()
}

/// Runs a body with a client that is shut down afterwards.
func withClient(
  _ access: ClusterAccess, environment: EnvironmentVariables = [:], options: KubeClient.Options = .quick,
  _ body: (KubeClient) async throws -> Void
) async throws {
  let client = try KubeClient(
    access: access, environment: environment, group: MultiThreadedEventLoopGroup.singleton, options: options)
  do {
    try await body(client)
  } catch {
    try await client.shutdown()
    throw error
  }
  try await client.shutdown()
}

extension KubeClient.Options {
  /// Waits between attempts are short enough for tests.
  static var quick: KubeClient.Options {
    var options = KubeClient.Options()
    options.retries.backoff = Backoff(first: .milliseconds(1), limit: .milliseconds(5))
    options.userAgent = "devrun/test"
    return options
  }
}

/// The error of a type that a body throws; `nil` if it throws none.
func caught<E: Error>(_ type: E.Type, _ body: () async throws -> Void) async throws -> E? {
  do {
    try await body()
    return nil
  } catch let error as E {
    return error
  }
}
