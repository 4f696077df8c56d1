internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix
internal import NIOSSL
internal import NIOWebSocket

/// The API server: TLS, HTTP/1.1 and WebSockets in front of the store.
///
/// It serves as much of Kubernetes' API (https://kubernetes.io/docs/reference/kubernetes-api/) as devrun, the scenarios and
/// kubectl's `get`, `describe`, `logs` and `delete` use.
package final class APIServer: Sendable {
  private let identities: ClusterIdentities
  private let responder: APIResponder

  /// A server that does not listen yet.
  ///
  /// - Parameters:
  ///   - store: the objects.
  ///   - node: the node, for logs and ports of pods.
  ///   - identities: the server's certificate and the users.
  package init(store: ObjectStore, node: any NodeAccess, identities: ClusterIdentities) {
    self.identities = identities
    responder = APIResponder(store: store, node: node)
  }

  /// Where the server listens.
  package enum Listener: Sendable, Hashable {
    /// A TCP socket that is bound. The server takes it over.
    case socket(Int32)
    /// An address of this process's network namespace. A port of 0 is any that is free.
    case address(String, port: Int)
  }

  /// Serves until the task is cancelled. The end of the task closes all connections.
  ///
  /// - Parameters:
  ///   - listeners: where to listen; each in the network namespace in which its socket was made.
  ///   - onReady: is called with the ports once all listen, in the order of the listeners.
  /// - Throws: `IOError` if the server cannot listen, `NIOSSLError` if its certificate is not usable.
  package func run(
    listeningAt listeners: [Listener], onReady: @Sendable ([Int]) async -> Void = { _ in }
  ) async throws {
    let context = try NIOSSLContext(configuration: try identities.tlsConfiguration())
    var servers: [Server] = []
    do {
      for listener in listeners { servers.append(try await bind(listener, context)) }
    } catch {
      for server in servers { try await server.channel.close() }
      throw error
    }
    await onReady(servers.map { $0.channel.localAddress?.port ?? 0 })
    try await withThrowingTaskGroup(of: Void.self) { group in
      for server in servers { group.addTask { try await self.accept(server) } }
      // The first end, by an error or the cancellation, ends all.
      defer { group.cancelAll() }
      try await group.next()
    }
  }

  private typealias Server = NIOAsyncChannel<Accepted, Never>

  /// A connection that was accepted.
  private struct Accepted: Sendable {
    var channel: any Channel
    /// What the connection is for, as soon as the first request has come.
    var purpose: EventLoopFuture<APIConnection.Purpose>
  }

  private func bind(_ listener: Listener, _ context: NIOSSLContext) async throws -> Server {
    let bootstrap = ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.backlog, value: 256)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
    switch listener {
    case .socket(let socket): return try await bootstrap.bind(socket) { self.configure($0, context) }
    case .address(let host, let port):
      return try await bootstrap.bind(host: host, port: port) { self.configure($0, context) }
    }
  }

  private func accept(_ server: Server) async throws {
    try await server.executeThenClose { connections in
      try await withThrowingDiscardingTaskGroup { group in
        for try await connection in connections { group.addTask { await self.serve(connection) } }
        group.cancelAll()
      }
    }
  }

  private func serve(_ accepted: Accepted) async {
    do {
      // A client may say nothing for as long as it likes, but not longer than the server runs.
      let purpose = try await withTaskCancellationHandler {
        try await accepted.purpose.get()
      } onCancel: {
        accepted.channel.close(promise: nil)
      }
      try await APIConnection(responder: responder, identities: identities).run(purpose)
    } catch {
      // A connection that breaks, or whose TLS fails, is its client's affair: the others go on.
      accepted.channel.close(promise: nil)
    }
  }

  /// Prepares a connection.
  private func configure(
    _ channel: any Channel, _ context: NIOSSLContext
  ) -> EventLoopFuture<Accepted> {
    channel.eventLoop.makeCompletedFuture {
      let pipeline = channel.pipeline.syncOperations
      // Go's server asks for a certificate and checks it later, so that a foreign one is answered by 401.
      let tls = NIOSSLServerHandler(
        context: context,
        customVerificationCallback: { _, promise in
          promise.succeed(.certificateVerified)
        })
      try pipeline.addHandler(tls)
      let upgrade = NIOTypedHTTPServerUpgradeConfiguration(upgraders: [upgrader]) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(ResponseBodyHandler())
          return APIConnection.Purpose.requests(try APIConnection.HTTP(wrappingChannelSynchronously: channel))
        }
      }
      var configuration = NIOUpgradableHTTPServerPipelineConfiguration(upgradeConfiguration: upgrade)
      // Requests are served one after the other anyway.
      configuration.enablePipelining = false
      let purpose = try pipeline.configureUpgradableHTTPServerPipeline(configuration: configuration)
      let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
      let filter = UpgradeFilter { channel, head in try self.portForward(channel, head) != nil }
      try pipeline.addHandler(filter, position: .after(decoder))
      return Accepted(channel: channel, purpose: purpose)
    }
  }

  /// What a request to become a WebSocket forwards; `nil` if it is refused, or is about something else.
  private func portForward(_ channel: any Channel, _ head: HTTPRequestHead) throws -> PortForwardRequest? {
    let certificate = try channel.pipeline.syncOperations.nioSSL_peerCertificate()?.toDERBytes()
    guard let user = identities.user(of: head, certificate: certificate) else { return nil }
    return responder.portForward(head, user: user)
  }

  private var upgrader: NIOTypedWebSocketServerUpgrader<APIConnection.Purpose> {
    return NIOTypedWebSocketServerUpgrader(maxFrameSize: 1 << 24) { channel, head in
      channel.eventLoop.makeCompletedFuture {
        try self.portForward(channel, head).map { _ in ["Sec-WebSocket-Protocol": PortForwardRequest.subprotocol] }
      }
    } upgradePipelineHandler: { channel, head in
      channel.eventLoop.makeCompletedFuture {
        guard let request = try self.portForward(channel, head) else {
          throw NIOWebSocketUpgradeError.unsupportedWebSocketTarget
        }
        return .portForward(try PortForwardRelay.WebSocket(wrappingChannelSynchronously: channel), request)
      }
    }
  }
}
