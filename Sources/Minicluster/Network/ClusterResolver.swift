// The cluster's resolver: it answers for the cluster's names from the store, and passes other questions to the machine's
// resolver, where that can be reached.

internal import DevrunCore
internal import DevrunKube
internal import DevrunSystem
internal import NIOCore
internal import NIOPosix

/// Addresses of services on the node's loopback interface.
protocol LoopbackAddresses: Sendable {
  /// Gives the interface an address.
  func add(serviceAddress: String) async throws
  /// Takes an address away again.
  func remove(serviceAddress: String) async throws
}

extension PodNetwork: LoopbackAddresses {}

/// Answers the DNS questions of pods, over UDP and TCP.
package final class ClusterResolver: Sendable {
  private let store: ObjectStore
  private let addresses: any LoopbackAddresses
  private let address: String
  private let port: Int
  private let machine: (@Sendable (_ question: [UInt8]) async -> [UInt8]?)?
  /// Is set with the port as soon as questions are answered.
  let ready = Latch<Int>()

  /// A resolver that does not run yet.
  ///
  /// - Parameters:
  ///   - store: the cluster's objects.
  ///   - network: the node's network.
  ///   - address: the address that it listens on.
  ///   - machine: passes a question on to the machine's resolver and returns the answer; `nil` if there is none in time.
  package convenience init(
    store: ObjectStore, network: PodNetwork, address: String = "10.98.0.10",
    machine: (@Sendable (_ question: [UInt8]) async -> [UInt8]?)? = nil
  ) {
    self.init(store: store, addresses: network, address: address, port: 53, machine: machine)
  }

  init(
    store: ObjectStore, addresses: any LoopbackAddresses, address: String, port: Int,
    machine: (@Sendable (_ question: [UInt8]) async -> [UInt8]?)? = nil
  ) {
    self.store = store
    self.addresses = addresses
    self.address = address
    self.port = port
    self.machine = machine
  }

  /// Answers questions until the task is cancelled.
  ///
  /// - Throws: if it cannot listen.
  package func run() async throws {
    try await addresses.add(serviceAddress: address)
    let group = MultiThreadedEventLoopGroup.singleton
    let datagrams = try await DatagramBootstrap(group: group)
      .bind(host: address, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<AddressedEnvelope<ByteBuffer>, AddressedEnvelope<ByteBuffer>>(
            wrappingChannelSynchronously: channel)
        }
      }
    let bound = datagrams.channel.localAddress?.port ?? port
    let connections = try await ServerBootstrap(group: group)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: address, port: bound) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandlers([
            ByteToMessageHandler(DNSFrameDecoder()), MessageToByteHandler(DNSFrameEncoder()),
          ])
          return try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    ready.set(bound)
    try await withThrowingDiscardingTaskGroup { group in
      group.addTask { try await self.answer(datagrams) }
      group.addTask { try await self.answer(connections) }
    }
  }

  private func answer(
    _ datagrams: NIOAsyncChannel<AddressedEnvelope<ByteBuffer>, AddressedEnvelope<ByteBuffer>>
  ) async throws {
    try await datagrams.executeThenClose { inbound, outbound in
      try await withThrowingDiscardingTaskGroup { group in
        for try await envelope in inbound {
          group.addTask {
            guard let answer = await self.answer(Array(envelope.data.readableBytesView), isDatagram: true) else {
              return
            }
            try await outbound.write(
              AddressedEnvelope(remoteAddress: envelope.remoteAddress, data: ByteBuffer(bytes: answer)))
          }
        }
      }
    }
  }

  private func answer(
    _ connections: NIOAsyncChannel<NIOAsyncChannel<ByteBuffer, ByteBuffer>, Never>
  ) async throws {
    try await connections.executeThenClose { inbound in
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in inbound {
          // One connection's failure ends that connection only.
          group.addTask { try? await self.answer(connection) }
        }
      }
    }
  }

  private func answer(_ connection: NIOAsyncChannel<ByteBuffer, ByteBuffer>) async throws {
    try await connection.executeThenClose { inbound, outbound in
      for try await question in inbound {
        guard let answer = await answer(Array(question.readableBytesView), isDatagram: false) else { return }
        try await outbound.write(ByteBuffer(bytes: answer))
      }
    }
  }

  /// The answer to a message. `nil` for what is no question.
  func answer(_ message: [UInt8], isDatagram: Bool) async -> [UInt8]? {
    guard let question = DNSQuestion(message) else { return nil }
    let limit = isDatagram ? question.limit : Int(UInt16.max)
    if let answer = names.answer(to: question) { return answer.bytes(for: question, limit: limit) }
    if let machine, let answer = await machine(message) { return answer }
    return DNSAnswer(code: .serverFailure, isAuthoritative: false).bytes(for: question, limit: limit)
  }

  private var names: ClusterNames {
    ClusterNames(
      service: { [store] in store.object(.service, in: $0, named: $1) },
      endpoints: { [store] in store.object(.endpoints, in: $0, named: $1) },
      hasNamespace: { [store] in store.object(.namespace, in: nil, named: $0) != nil })
  }
}
