import DevrunCore
import DevrunKube
import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import Minicluster

/// The relay of services' ports. The services have addresses of this machine's loopback interface.
struct NetworkRelayTests {
  private static func service(_ name: String, _ spec: JSONValue) -> KubeObject {
    ["kind": "Service", "metadata": ["name": .string(name), "namespace": "default"], "spec": spec]
  }

  private static func endpoints(_ name: String, _ subsets: JSONValue) -> KubeObject {
    ["kind": "Endpoints", "metadata": ["name": .string(name), "namespace": "default"], "subsets": subsets]
  }

  @Test func `A port leads to the ready endpoints of its name`() {
    var table = RelayTable(excluding: ["10.98.0.10"])
    table.apply(
      .added(
        Self.service(
          "web",
          [
            "clusterIP": "10.98.0.7",
            "ports": [
              ["name": "http", "port": 80], ["name": "admin", "port": 81],
              ["name": "dns", "port": 53, "protocol": "UDP"],
            ],
          ])))
    table.apply(.added(Self.service("dns", ["clusterIP": "10.98.0.10", "ports": [["port": 53]]])))
    table.apply(.added(Self.service("headless", ["clusterIP": "None", "ports": [["port": 80]]])))
    #expect(table.ports.isEmpty)
    #expect(table.addresses == ["10.98.0.7"])
    table.apply(
      .added(
        Self.endpoints(
          "web",
          [
            [
              "addresses": [["ip": "10.97.0.2"], ["ip": "10.97.0.3"]], "notReadyAddresses": [["ip": "10.97.0.4"]],
              "ports": [["name": "http", "port": 8080]],
            ]
          ])))
    #expect(
      table.ports == [
        RelayTable.Port(address: "10.98.0.7", number: 80): [
          RelayTable.Target(address: "10.97.0.2", port: 8080), RelayTable.Target(address: "10.97.0.3", port: 8080),
        ]
      ])
    table.apply(.deleted(Self.endpoints("web", [])))
    #expect(table.ports.isEmpty)
  }

  /// A server that answers all that comes, in front of its own name, once the client has sent all.
  private func server(_ name: String) async throws -> any Channel {
    try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Echo(name)) }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  /// Sends a text and the end of it, and returns what comes until the other end.
  private func exchange(_ text: String, _ address: String, _ port: Int) async throws -> String {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.allowRemoteHalfClosure, value: true)
      .connect(host: address, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(
            wrappingChannelSynchronously: channel,
            configuration: .init(isOutboundHalfClosureEnabled: true))
        }
      }
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(ByteBuffer(string: text))
      outbound.finish()
      var answer = ""
      for try await part in inbound { answer += String(buffer: part) }
      return answer
    }
  }

  /// Connects, and returns the error by which the connection ends; 0 if it ends well.
  private static func end(ofConnectionTo address: String, _ port: Int) throws -> Int32 {
    let socket = Descriptor(try system { Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) })
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_port = UInt16(port).bigEndian
    place.sin_addr.s_addr = inet_addr(address)
    do throws(Errno) {
      _ = try withUnsafePointer(to: &place) { (pointer) throws(Errno) in
        try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { (pointer) throws(Errno) in
          try system { connect(socket.number, pointer, socklen_t(MemoryLayout<sockaddr_in>.size)) }
        }
      }
      _ = try socket.read(upTo: 1)
      return 0
    } catch {
      return error.rawValue
    }
  }

  @Test func `Connections go to the endpoints in turn, and are refused once there are none`() async throws {
    let (one, two) = (try await server("one"), try await server("two"))
    let ports = try [one, two].map { try #require($0.localAddress?.port) }
    let address = "127.0.0.77"
    let number = try freePort()
    let store = ObjectStore()
    try store.create(
      Self.service("web", ["clusterIP": .string(address), "ports": [["port": .int(Int64(number))]]]), of: .service,
      by: "test")
    let relay = ServiceRelay(store: store, addresses: NoAddresses(), excluding: [])
    let running = Task { try await relay.run() }
    let subsets = ports.map { port -> JSONValue in
      ["addresses": [["ip": "127.0.0.1"]], "ports": [["port": .int(Int64(port))]]]
    }
    var seen = relay.progress.count
    try store.create(Self.endpoints("web", .array(subsets)), of: .endpoints, by: "test")
    await relay.progress.next(after: seen)

    var answers: [String] = []
    for _ in 0..<4 { answers.append(try await exchange("hello", address, number)) }
    #expect(answers.sorted() == ["one hello", "one hello", "two hello", "two hello"])
    let large = String(repeating: "0123456789", count: 300_000)
    #expect(try await exchange(large, address, number).count == large.count + 4)

    seen = relay.progress.count
    try store.update(.endpoints, in: "default", named: "web", by: "test") { $0.json["subsets"] = nil }
    await relay.progress.next(after: seen)
    await #expect(throws: NIOConnectionError.self) { _ = try await exchange("hello", address, number) }
    running.cancel()
    _ = await running.result
    for server in [one, two] { try await server.close() }
  }

  /// A socket that accepts nobody and whose queue is full: what else comes gets no answer.
  private static func fullSocket() throws -> (socket: Descriptor, client: Descriptor, port: Int) {
    let sockets = try (0..<2).map { _ in Descriptor(try system { socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0) }) }
    var place = sockaddr_in()
    place.sin_family = sa_family_t(AF_INET)
    place.sin_addr.s_addr = inet_addr("127.0.0.1")
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    try withUnsafeMutablePointer(to: &place) { pointer in
      try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        try system { bind(sockets[0].number, pointer, size) }
        try system { listen(sockets[0].number, 0) }
        try system { getsockname(sockets[0].number, pointer, &size) }
        try system { connect(sockets[1].number, pointer, size) }
      }
    }
    return (sockets[0], sockets[1], Int(UInt16(bigEndian: place.sin_port)))
  }

  @Test(.timeLimit(.minutes(1)))
  func `A connection goes to another endpoint if one does not answer`() async throws {
    let server = try await server("one")
    let answering = try #require(server.localAddress?.port)
    let full = try Self.fullSocket()
    let address = "127.0.0.79"
    let number = try freePort()
    let store = ObjectStore()
    let relay = ServiceRelay(store: store, addresses: NoAddresses(), excluding: [])
    let running = Task { try await relay.run() }
    let seen = relay.progress.count
    try store.create(
      Self.service("web", ["clusterIP": .string(address), "ports": [["port": .int(Int64(number))]]]), of: .service,
      by: "test")
    let subsets = [full.port, answering].map { port -> JSONValue in
      ["addresses": [["ip": "127.0.0.1"]], "ports": [["port": .int(Int64(port))]]]
    }
    try store.create(Self.endpoints("web", .array(subsets)), of: .endpoints, by: "test")
    await relay.progress.next(after: seen)
    for _ in 0..<2 { #expect(try await exchange("hello", address, number) == "one hello") }
    running.cancel()
    _ = await running.result
    try await server.close()
    withExtendedLifetime(full) {}
  }

  @Test func `A connection whose endpoint does not listen is reset`() async throws {
    let address = "127.0.0.78"
    let (number, closed) = (try freePort(), try freePort())
    let store = ObjectStore()
    let relay = ServiceRelay(store: store, addresses: NoAddresses(), excluding: [])
    let running = Task { try await relay.run() }
    let seen = relay.progress.count
    try store.create(
      Self.service("web", ["clusterIP": .string(address), "ports": [["port": .int(Int64(number))]]]), of: .service,
      by: "test")
    let subsets: JSONValue = [["addresses": [["ip": "127.0.0.1"]], "ports": [["port": .int(Int64(closed))]]]]
    try store.create(Self.endpoints("web", subsets), of: .endpoints, by: "test")
    await relay.progress.next(after: seen)
    #expect(try Self.end(ofConnectionTo: address, number) == ECONNRESET)
    running.cancel()
    _ = await running.result
  }
}

/// Answers what comes, behind a name, at the end of it.
private final class Echo: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer
  private let name: String
  private var received = ByteBuffer()

  init(_ name: String) { self.name = name }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received.writeImmutableBuffer(unwrapInboundIn(data))
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    guard let event = event as? ChannelEvent, event == .inputClosed else { return }
    var answer = ByteBuffer(string: name + " ")
    answer.writeImmutableBuffer(received)
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    context.writeAndFlush(wrapOutboundOut(answer)).whenComplete { _ in bound.value.close(promise: nil) }
  }
}
