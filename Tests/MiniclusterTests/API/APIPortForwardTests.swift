import DevrunCore
import DevrunKube
import NIOCore
import NIOPosix
import Testing

@testable import Minicluster

@Suite("The minicluster's port-forwards")
struct APIPortForwardTests {
  /// What comes over a channel.
  private enum Item: Sendable {
    case bytes(String)
    case end
    case failure(any Error)
    case closed
  }

  /// Passes on what comes.
  private final class Collector: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    let items: AsyncStream<Item>
    private let continuation: AsyncStream<Item>.Continuation

    init() { (items, continuation) = AsyncStream.makeStream(of: Item.self) }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      continuation.yield(.bytes(String(buffer: unwrapInboundIn(data))))
    }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if event is PortForwardEnd { continuation.yield(.end) }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { continuation.yield(.failure(error)) }
    func channelInactive(context: ChannelHandlerContext) {
      continuation.yield(.closed)
      continuation.finish()
    }
  }

  private static let pod: KubeObject = [
    "metadata": ["name": "web", "namespace": "default", "uid": "1-2"],
    "spec": ["nodeName": "minicluster", "containers": [["name": "app", "image": "busybox"]]],
  ]

  private static func open(_ client: KubeClient, port: Int) async throws -> (any Channel, Collector) {
    let collector = Collector()
    let channel = try await client.portForward(
      namespace: "default", pod: "web", port: UInt16(port), on: MultiThreadedEventLoopGroup.singleton.next()
    ) { try $0.pipeline.syncOperations.addHandler(collector) }
    try await channel.setOption(.autoRead, value: true).get()
    channel.read()
    return (channel, collector)
  }

  /// Runs a body with a server in place of the pod, and the port that it listens at.
  private static func withPod(
    _ answer: @escaping @Sendable (NIOAsyncChannel<ByteBuffer, ByteBuffer>) async throws -> Void,
    _ body: @escaping @Sendable (KubeClient, Int) async throws -> Void
  ) async throws {
    let server = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(host: "127.0.0.1", port: 0) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    let port = try #require(server.channel.localAddress?.port)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask {
        try await server.executeThenClose { connections in
          for try await connection in connections { try await answer(connection) }
        }
      }
      try await APIFixture.run { fixture in
        try fixture.store.create(Self.pod, of: .pod, by: "test")
        try await fixture.withClient(fixture.access()) { client in try await body(client, port) }
      }
      group.cancelAll()
    }
  }

  @Test func `Bytes go both ways until the client closes`() async throws {
    try await Self.withPod { connection in
      try await connection.executeThenClose { bytes, writer in
        for try await part in bytes { try await writer.write(part) }
      }
    } _: { client, port in
      let (channel, collector) = try await Self.open(client, port: port)
      // More than one message takes.
      let text = String(repeating: "0123456789", count: 100_000)
      try await channel.writeAndFlush(ByteBuffer(string: text)).get()
      var received = ""
      for await item in collector.items {
        if case .bytes(let more) = item { received += more }
        if received.utf8.count >= text.utf8.count { break }
      }
      #expect(received == text)
      try await channel.close()
    }
  }

  @Test func `All bytes of a pod arrive before its end`() async throws {
    let text = String(repeating: "0123456789", count: 1_000_000)
    try await Self.withPod { connection in
      try await connection.executeThenClose { _, _ in
        try await connection.channel.writeAndFlush(ByteBuffer(string: text)).get()
      }
    } _: { client, port in
      let (_, collector) = try await Self.open(client, port: port)
      var received = 0
      var hasEnded = false
      for await item in collector.items {
        switch item {
        case .bytes(let more): received += more.utf8.count
        case .end: hasEnded = true
        case .failure(let error): Issue.record(error)
        case .closed: break
        }
      }
      #expect(received == text.utf8.count)
      #expect(hasEnded)
    }
  }

  @Test func `A port at which nobody listens is reported as the node reports it`() async throws {
    try await APIFixture.run { fixture in
      try fixture.store.create(Self.pod, of: .pod, by: "test")
      let free = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .bind(host: "127.0.0.1", port: 0).get()
      let port = try #require(free.localAddress?.port)
      try await free.close()
      try await fixture.withClient(fixture.access()) { client in
        var words: [String] = []
        do {
          let (_, collector) = try await Self.open(client, port: port)
          for await item in collector.items {
            if case .failure(PortForwardError.remote(let text)) = item { words.append(text) }
          }
        } catch PortForwardError.remote(let text) {
          words.append(text)
        }
        #expect(words.count == 1)
        #expect(words.first?.hasPrefix("error forwarding port \(port) to pod web, uid ") == true)
        #expect(words.first?.hasSuffix("connection refused") == true)
      }
    }
  }

  @Test func `A pod that is not there is refused before the upgrade`() async throws {
    try await APIFixture.run { fixture in
      try await fixture.withClient(fixture.access()) { client in
        let error = await #expect(throws: KubeError.self) { _ = try await Self.open(client, port: 80) }
        #expect(error?.status?.message == "pods \"web\" not found")
      }
      try await fixture.withClient(fixture.access("developer.kubeconfig")) { client in
        let error = await #expect(throws: KubeError.self) {
          _ = try await client.portForward(
            namespace: "kube-system", pod: "dns", port: 53, on: MultiThreadedEventLoopGroup.singleton.next())
        }
        #expect(error?.status?.refusal == .missingRight)
      }
    }
  }
}
