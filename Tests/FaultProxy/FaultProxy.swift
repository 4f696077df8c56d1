// A proxy between a client and any API server, which makes the failures that networks and servers have.
//
// A client gets a kubeconfig that leads to the proxy. Each request is passed on over a connection of its own, with the
// credentials of the access that the proxy was given, unless a fault was injected for it. All connections belong to one
// event loop; faults take effect on it in the order in which they were injected.

public import DevrunConfig
internal import DevrunCore
internal import Foundation
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import Synchronization
internal import TestSupport

/// Stands before an API server, and fails as it is asked to.
public final class FaultProxy: Sendable {
  /// The proxy's port on 127.0.0.1.
  public let port: Int

  private let access: ClusterAccess
  private let group: MultiThreadedEventLoopGroup
  private let certificates: ProxyCertificates
  private let token: String
  private let switchboard: NIOLoopBound<Switchboard>
  private let listener: Mutex<(any Channel)?>

  /// Starts a proxy.
  ///
  /// - Parameter access: the API server, and the credentials that the proxy shows it.
  /// - Throws: `TestFailure` if the access is of a kind that the proxy does not have; the error of the listening socket.
  public static func start(before access: ClusterAccess) async throws -> FaultProxy {
    let upstream = try Upstream(access)
    let certificates = try ProxyCertificates()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let token = String((0..<24).compactMap { _ in "bcdfghjklmnpqrstvwxz0123456789".randomElement() })
    let loop = group.next()
    let switchboard = try await loop.submit {
      NIOLoopBound(Switchboard(loop: loop, upstream: upstream, authorization: "Bearer \(token)"), eventLoop: loop)
    }.get()
    do {
      let channel = try await listen(0, certificates, switchboard)
      return FaultProxy(access, group, certificates, token, switchboard, channel)
    } catch {
      try await group.shutdownGracefully()
      throw error
    }
  }

  /// Starts a proxy before the API server of a kubeconfig's current context.
  public static func start(beforeKubeconfig path: String) async throws -> FaultProxy {
    let locations = Kubeconfig.Locations(file: path, environment: [:], home: nil, workingDirectory: "/")
    return try await start(before: try Kubeconfig.access(from: locations))
  }

  private init(
    _ access: ClusterAccess, _ group: MultiThreadedEventLoopGroup, _ certificates: ProxyCertificates, _ token: String,
    _ switchboard: NIOLoopBound<Switchboard>, _ channel: any Channel
  ) {
    self.access = access
    self.group = group
    self.certificates = certificates
    self.token = token
    self.switchboard = switchboard
    listener = Mutex(channel)
    port = channel.localAddress?.port ?? 0
  }

  private static func listen(
    _ port: Int, _ certificates: ProxyCertificates, _ switchboard: NIOLoopBound<Switchboard>
  ) async throws -> any Channel {
    try await ServerBootstrap(group: switchboard.eventLoop)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          switchboard.value.accept(channel)
          let pipeline = channel.pipeline.syncOperations
          try pipeline.addHandler(NIOSSLServerHandler(context: certificates.server))
          try ClientHandler.add(to: pipeline, switchboard.value)
        }
      }
      .bind(host: "127.0.0.1", port: port).get()
  }

  /// Closes all connections and ends the proxy.
  public func stop() async throws {
    try await goAway()
    try await group.shutdownGracefully()
  }
}

extension FaultProxy {
  /// Injects a fault. It is in force when this returns.
  ///
  /// - Parameters:
  ///   - fault: what fails.
  ///   - pattern: the requests that it is for.
  ///   - occurrence: how often it occurs.
  /// - Returns: the fault, to wait for it and to lift it.
  @discardableResult
  public func inject(
    _ fault: Fault, into pattern: RequestPattern, _ occurrence: Occurrence = .always
  ) async throws -> Injection {
    let switchboard = switchboard
    let injection = Injection(fault, pattern, occurrence) {
      switchboard.eventLoop.execute { switchboard.value.reconsider() }
    }
    try await switchboard.eventLoop.submit { switchboard.value.add(injection) }.get()
    return injection
  }

  /// Is away, as a server is that is restarted: closes all connections, and refuses new ones until ``comeBack()``.
  public func goAway() async throws {
    let channel = listener.withLock { listener in
      defer { listener = nil }
      return listener
    }
    try await channel?.close()
    let switchboard = switchboard
    try await switchboard.eventLoop.flatSubmit { switchboard.value.closeAll() }.get()
  }

  /// Listens again, on the same port.
  public func comeBack() async throws {
    let channel = try await Self.listen(port, certificates, switchboard)
    listener.withLock { $0 = channel }
  }

  /// The access of a client that goes through the proxy.
  public var clientAccess: ClusterAccess {
    var client = ClusterAccess(
      server: "https://127.0.0.1:\(port)", certificateAuthority: Array(certificates.authority.utf8),
      namespace: access.namespace, otherNamespaces: access.otherNamespaces, contextName: access.contextName)
    client.credentials.authorization = .token(token)
    client.impersonate = access.impersonate
    return client
  }

  /// The text of a kubeconfig that leads to the proxy: the context of the access that the proxy was given, and one for
  /// each of its other namespaces.
  public var kubeconfig: String {
    let contexts = [(access.contextName, access.namespace)] + access.otherNamespaces.map { ($0, $0) }
    let config: JSONValue = [
      "apiVersion": "v1", "kind": "Config", "current-context": .string(access.contextName),
      "clusters": [
        [
          "name": "fault-proxy",
          "cluster": [
            "server": .string("https://127.0.0.1:\(port)"),
            "certificate-authority-data": .string(Data(certificates.authority.utf8).base64EncodedString()),
          ],
        ]
      ],
      "users": [["name": "fault-proxy", "user": ["token": .string(token)]]],
      "contexts": .array(
        contexts.map { name, namespace in
          [
            "name": .string(name),
            "context": ["cluster": "fault-proxy", "user": "fault-proxy", "namespace": .string(namespace)],
          ]
        }),
    ]
    return String(decoding: config.text, as: UTF8.self)
  }
}
