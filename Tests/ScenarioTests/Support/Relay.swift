import DevrunConfig
import DevrunCore
import Foundation
import NIOCore
import NIOPosix
import Synchronization
import TestSupport

/// The way to the API server, which a scenario can cut: a relay of bytes on this machine. TLS passes through it, so that
/// any cluster allows it.
final class Relay: Sendable {
  private struct State {
    var isOpen = true
    var connections: [ObjectIdentifier: any Channel] = [:]
  }

  private let listener: any Channel
  private let shared: Shared

  /// What the relay shares with its connections.
  private final class Shared: Sendable {
    let state = Mutex(State())
  }

  /// Runs something with a relay to a cluster's API server.
  static func with(_ access: ClusterAccess, _ body: (Relay) async throws -> Void) async throws {
    let relay = try await Relay(access)
    do {
      try await body(relay)
    } catch {
      try await relay.close()
      throw error
    }
    try await relay.close()
  }

  private init(_ access: ClusterAccess) async throws {
    guard let server = URLComponents(string: access.server), let host = server.host else {
      throw TestFailure("\(access.server) is no URL")
    }
    let (name, port) = (host.trimmingCharacters(in: ["[", "]"]), server.port ?? 443)
    let shared = Shared()
    self.shared = shared
    listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.autoRead, value: false)
      .childChannelOption(.allowRemoteHalfClosure, value: true)
      .childChannelInitializer { inner in
        guard Self.keep(inner, in: shared) else { return inner.close() }
        return ClientBootstrap(group: inner.eventLoop)
          .channelOption(.autoRead, value: false)
          .channelOption(.allowRemoteHalfClosure, value: true)
          .connect(host: name, port: port)
          .flatMap { outer in
            do {
              try inner.pipeline.syncOperations.addHandler(RelayHandler(to: outer))
              try outer.pipeline.syncOperations.addHandler(RelayHandler(to: inner))
            } catch {
              return inner.eventLoop.makeFailedFuture(error)
            }
            return inner.eventLoop.makeSucceededVoidFuture()
          }
      }
      .bind(host: "127.0.0.1", port: 0).get()
  }

  /// The address at which the relay listens.
  var port: Int { listener.localAddress?.port ?? 0 }

  /// Cuts all connections; new ones are made as before.
  func cut() async throws {
    let connections = shared.state.withLock { Array($0.connections.values) }
    for connection in connections {
      do { try await connection.close() } catch ChannelError.alreadyClosed { continue }
    }
  }

  /// Cuts all connections, and each new one at once, until it is opened again.
  func shut() async throws {
    shared.state.withLock { $0.isOpen = false }
    try await cut()
  }

  /// Lets connections through again.
  func open() { shared.state.withLock { $0.isOpen = true } }

  private func close() async throws {
    try await listener.close()
    try await shut()
  }

  /// Remembers a connection for as long as it lives.
  ///
  /// - Returns: whether it may live.
  private static func keep(_ channel: any Channel, in shared: Shared) -> Bool {
    let id = ObjectIdentifier(channel)
    let isOpen = shared.state.withLock { state in
      if state.isOpen { state.connections[id] = channel }
      return state.isOpen
    }
    channel.closeFuture.whenComplete { _ in shared.state.withLock { _ = $0.connections.removeValue(forKey: id) } }
    return isOpen
  }

  /// A kubeconfig that leads by the relay to the server of another one, as the same user.
  func kubeconfig(for access: ClusterAccess) throws -> String {
    guard let host = URLComponents(string: access.server)?.host else { throw TestFailure("\(access.server) is no URL") }
    var cluster = ["server: \"https://127.0.0.1:\(port)\"", "tls-server-name: \"\(access.tlsServerName ?? host)\""]
    if let authority = access.certificateAuthority {
      cluster.append("certificate-authority-data: \(Data(authority).base64EncodedString())")
    }
    if access.insecureSkipTLSVerify { cluster.append("insecure-skip-tls-verify: true") }
    var user: [String] = []
    if let certificate = access.credentials.clientCertificate {
      user += [
        "client-certificate-data: \(Data(certificate.certificate).base64EncodedString())",
        "client-key-data: \(Data(certificate.key).base64EncodedString())",
      ]
    }
    switch access.credentials.authorization {
    case .token(let token): user.append("token: \"\(token)\"")
    case .tokenFile(let path, _): user.append("tokenFile: \"\(path)\"")
    case nil: break
    case .some(let other): throw TestFailure("the kubeconfig's user has no certificate and no token but \(other)")
    }
    return """
      apiVersion: v1
      kind: Config
      current-context: relayed
      clusters: [{name: relayed, cluster: {\(cluster.joined(separator: ", "))}}]
      users: [{name: relayed, user: {\(user.joined(separator: ", "))}}]
      contexts: [{name: relayed, context: {cluster: relayed, user: relayed}}]

      """
  }
}

/// Passes what one channel reads on to another, at the pace of the other.
private final class RelayHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let other: any Channel

  init(to other: any Channel) { self.other = other }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { context.read() }
  }

  func channelActive(context: ChannelHandlerContext) { context.read() }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let channel = context.channel
    other.writeAndFlush(unwrapInboundIn(data)).whenSuccess { channel.read() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case ChannelEvent.inputClosed? = event as? ChannelEvent {
      other.close(mode: .output, promise: nil)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func channelInactive(context: ChannelHandlerContext) { other.close(promise: nil) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
