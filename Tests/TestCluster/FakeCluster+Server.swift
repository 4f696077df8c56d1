internal import DevrunConfig
internal import DevrunCore
package import DevrunKube
internal import DevrunSystem
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

extension FakeCluster {
  /// Runs a body with a cluster's namespace `ns`.
  package static func run(_ body: (FakeCluster, Namespace) async throws -> Void) async throws {
    let cluster = FakeCluster()
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: false)
          try channel.pipeline.syncOperations.addHandler(Responder(cluster))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let port = channel.localAddress?.port ?? 0
    let client = try KubeClient(
      access: ClusterAccess(server: "http://127.0.0.1:\(port)", contextName: "test"), environment: [:],
      group: MultiThreadedEventLoopGroup.singleton)
    do {
      try await body(cluster, Namespace("ns", client: client))
    } catch {
      try await client.shutdown()
      try await channel.close()
      throw error
    }
    try await client.shutdown()
    try await channel.close()
  }
}

private final class Responder: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let cluster: FakeCluster
  private var head: HTTPRequestHead?
  private var body: [UInt8] = []

  init(_ cluster: FakeCluster) { self.cluster = cluster }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head):
      self.head = head
      body = []
    case .body(let bytes): body += bytes.readableBytesView
    case .end:
      guard let head else { return }
      if head.uri.contains("watch=true") {
        if let (code, json) = cluster.watchRefusal(uri: head.uri) {
          answer(context, code, json)
          return
        }
        send(context, 200, [:])
      }
      let ofMetadata = head.headers["Accept"].contains { $0.contains("as=PartialObjectMetadata") }
      guard
        let (code, json) = cluster.answer(
          head.method, uri: head.uri, ofMetadata: ofMetadata, body: body, on: context.channel)
      else { return }
      answer(context, code, json)
    }
  }

  private func answer(_ context: ChannelHandlerContext, _ code: Int, _ json: JSONValue) {
    let text = json.text
    send(context, code, ["Content-Length": "\(text.count)"])
    context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: text)))), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  private func send(_ context: ChannelHandlerContext, _ code: Int, _ headers: HTTPHeaders) {
    let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: code), headers: headers)
    context.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
  }
}
