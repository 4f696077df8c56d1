import DevrunCore
import DevrunKube
import DevrunSystem
import NIOCore
import NIOPosix
import Testing

@testable import Minicluster

/// The names of the cluster, and their resolver.
struct NetworkNamesTests {
  private static let services: [String: KubeObject] = [
    "team/web": [
      "metadata": ["name": "web", "namespace": "team"],
      "spec": ["clusterIP": "10.98.0.7", "ports": [["name": "http", "port": 80, "protocol": "TCP"]]],
    ],
    "team/db": [
      "metadata": ["name": "db", "namespace": "team"],
      "spec": ["clusterIP": "None", "ports": [["name": "sql", "port": 5432]]],
    ],
    "team/empty": ["metadata": ["name": "empty", "namespace": "team"], "spec": ["clusterIP": "None"]],
    "team/out": [
      "metadata": ["name": "out", "namespace": "team"],
      "spec": ["type": "ExternalName", "externalName": "example.com"],
    ],
  ]
  private static let endpoints: KubeObject = [
    "subsets": [
      [
        "addresses": [["ip": "10.97.0.2", "hostname": "db-0"], ["ip": "10.97.0.3"]],
        "ports": [["name": "sql", "port": 5433, "protocol": "TCP"]],
      ]
    ]
  ]
  private let names = ClusterNames(
    service: { Self.services["\($0)/\($1)"] }, endpoints: { $1 == "db" ? Self.endpoints : nil },
    hasNamespace: { $0 == "team" })

  /// A question's bytes.
  private static func message(_ name: String, type: UInt16, size: UInt16? = nil) -> [UInt8] {
    var bytes: [UInt8] = [0xab, 0xcd, 1, 0, 0, 1, 0, 0, 0, 0, 0, size == nil ? 0 : 1]
    for label in name.split(separator: ".") { bytes += [UInt8(label.utf8.count)] + label.utf8 }
    bytes += [0, UInt8(type >> 8), UInt8(type & 0xff), 0, 1]
    if let size { bytes += [0, 0, 41, UInt8(size >> 8), UInt8(size & 0xff), 0, 0, 0, 0, 0, 0] }
    return bytes
  }

  private func text(_ name: String, _ type: UInt16) throws -> String {
    let question = try #require(DNSQuestion(Self.message(name, type: type)))
    guard let answer = names.answer(to: question) else { return "elsewhere" }
    let records = answer.records.map { record in
      switch record.data {
      case .address(let address): "\(address)"
      case .alias(let name): name
      case .service(_, _, let port, let host): "\(host):\(port)"
      case .authority(let zone): zone
      }
    }
    return answer.code == .noSuchName ? "no such name" : records.joined(separator: " ")
  }

  @Test(
    arguments: [
      ("web.team.svc.cluster.local", 1, "10.98.0.7"), ("WEB.team.svc.CLUSTER.local", 1, "10.98.0.7"),
      ("web.team.svc.cluster.local", 28, ""), ("web.other.svc.cluster.local", 1, "no such name"),
      ("gone.team.svc.cluster.local", 1, "no such name"), ("gone.team.svc.cluster.local", 28, "no such name"),
      ("db.team.svc.cluster.local", 1, "10.97.0.2 10.97.0.3"), ("db-0.db.team.svc.cluster.local", 1, "10.97.0.2"),
      ("10-97-0-3.db.team.svc.cluster.local", 1, "10.97.0.3"), ("db-9.db.team.svc.cluster.local", 1, "no such name"),
      ("empty.team.svc.cluster.local", 1, ""), ("out.team.svc.cluster.local", 1, "example.com"),
      ("_http._tcp.web.team.svc.cluster.local", 33, "web.team.svc.cluster.local:80"),
      (
        "_sql._tcp.db.team.svc.cluster.local", 33,
        "db-0.db.team.svc.cluster.local:5433 10-97-0-3.db.team.svc.cluster.local:5433"
      ), ("_http._udp.web.team.svc.cluster.local", 33, "no such name"), ("team.svc.cluster.local", 1, ""),
      ("svc.cluster.local", 1, ""), ("cluster.local", 1, ""), ("10-97-0-9.team.pod.cluster.local", 1, "10.97.0.9"),
      ("example.com", 1, "elsewhere"), ("notcluster.local", 1, "elsewhere"),
      ("web.team.svc.cluster.local.team.svc.cluster.local", 1, "no such name"),
    ] as [(String, UInt16, String)]) func `A name of the cluster is answered as the specification says`(
      name: String, type: UInt16, expected: String
    ) throws
  {
    #expect(try text(name, type) == expected)
  }

  @Test(arguments: [
    [], [0, 0, 0, 0], Array(message("a.b", type: 1).dropLast(3)), Array(message("a.b", type: 1).prefix(13)),
  ])
  func `A message that is cut is no question`(bytes: [UInt8]) { #expect(DNSQuestion(bytes) == nil) }

  @Test func `An answer is no question, and neither is a pointer`() {
    var answer = Self.message("a.b", type: 1)
    answer[2] |= 0x80
    #expect(DNSQuestion(answer) == nil)
    #expect(DNSQuestion([0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xc0, 0x0c, 0, 1, 0, 1]) == nil)
  }

  @Test func `An answer has the question, its flags and its records`() throws {
    let message = Self.message("web.team.svc.cluster.local", type: 1)
    let question = try #require(DNSQuestion(message))
    let bytes = try #require(names.answer(to: question)).bytes(for: question, limit: 512)
    // The head: the number, an answer with authority, recursion wanted and had, one question, one record.
    #expect(Array(bytes.prefix(12)) == [0xab, 0xcd, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0])
    #expect(Array(bytes[12..<message.count]) == Array(message[12...]))
    #expect(Array(bytes[message.count...]) == [0xc0, 0x0c, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 98, 0, 7])
  }

  @Test func `An answer that is too large for a datagram is cut to its head`() throws {
    let answer = DNSAnswer(
      records: (0..<60).map { DNSRecord(name: "a.b", data: .address(IPAddress(10, 0, 0, UInt8($0)))) })
    let small = try #require(DNSQuestion(Self.message("a.b", type: 1)))
    #expect(answer.bytes(for: small, limit: small.limit)[2] & 2 == 2)
    #expect(answer.bytes(for: small, limit: small.limit).count < 40)
    let large = try #require(DNSQuestion(Self.message("a.b", type: 1, size: 1232)))
    #expect(large.limit == 1232)
    #expect(answer.bytes(for: large, limit: large.limit)[2] & 2 == 0)
  }

  // MARK: - The resolver

  private func with(
    machine: (@Sendable ([UInt8]) async -> [UInt8]?)? = nil, _ body: (ClusterResolver, Int) async throws -> Void
  ) async throws {
    let store = ObjectStore()
    try store.create(["metadata": ["name": "team"]], of: .namespace, by: "test")
    try store.create(
      [
        "metadata": ["name": "web", "namespace": "team"],
        "spec": ["clusterIP": "10.98.0.7", "ports": [["port": 80]]],
      ], of: .service, by: "test")
    let resolver = ClusterResolver(
      store: store, addresses: NoAddresses(), address: "127.0.0.1", port: 0, machine: machine)
    let running = Task { try await resolver.run() }
    let port = try #require(await resolver.ready.wait(for: .seconds(60)))
    try await body(resolver, port)
    running.cancel()
    // It ends by its cancellation, with whatever error that makes.
    _ = await running.result
  }

  @Test func `The resolver answers over UDP and over TCP`() async throws {
    try await with { _, port in
      let message = Self.message("web.team.svc.cluster.local", type: 1)
      let datagram = try await DatagramBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<AddressedEnvelope<ByteBuffer>, AddressedEnvelope<ByteBuffer>>(
              wrappingChannelSynchronously: channel)
          }
        }
      let server = try SocketAddress(ipAddress: "127.0.0.1", port: port)
      let answer = try await datagram.executeThenClose { inbound, outbound -> [UInt8] in
        try await outbound.write(AddressedEnvelope(remoteAddress: server, data: ByteBuffer(bytes: message)))
        for try await envelope in inbound { return Array(envelope.data.readableBytesView) }
        return []
      }
      #expect(Array(answer.suffix(4)) == [10, 98, 0, 7])

      let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .connect(host: "127.0.0.1", port: port) { channel in
          channel.eventLoop.makeCompletedFuture {
            try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
          }
        }
      let framed = try await connection.executeThenClose { inbound, outbound -> [UInt8] in
        try await outbound.write(ByteBuffer(bytes: [0, UInt8(message.count)] + message))
        var received: [UInt8] = []
        for try await part in inbound {
          received += part.readableBytesView
          if received.count >= 2, received.count == 2 + Int(received[1]) { break }
        }
        return received
      }
      #expect(Array(framed.dropFirst(2)) == answer)
    }
  }

  @Test func `The resolver passes other names on, and reports a failure where it cannot`() async throws {
    let message = Self.message("example.com", type: 1)
    try await with { resolver, _ in
      let answer = try #require(await resolver.answer(message, isDatagram: true))
      #expect(answer[3] & 0xf == 2)
    }
    try await with(machine: { _ in [1, 2, 3] }) { resolver, _ in
      #expect(await resolver.answer(message, isDatagram: true) == [1, 2, 3])
    }
  }
}

/// Addresses that are there already.
struct NoAddresses: LoopbackAddresses {
  func add(serviceAddress: String) async throws {}
  func remove(serviceAddress: String) async throws {}
}
