import DevrunCore
import Glibc
import NIOCore
import NIOPosix
import NIOSOCKS
import NIOSSL

/// Makes connections to the API server for what is not a plain request: through the proxy if there is one, with TLS if
/// the server wants it, ready for HTTP/1.1.
struct ServerConnector: Sendable {
  /// Where to.
  let server: ServerURL
  /// The proxy between, in the clear: one over TLS is behind a `ProxyRelay`.
  let proxy: ProxyServer?
  /// How TLS is spoken with the server; `nil` for plain HTTP.
  let tls: TLSSettings?
  /// How long the TCP connection may take.
  let connectTimeout: TimeAmount

  /// A new connection on the given event loop. The caller bounds the time for the whole; closing the channel that
  /// `onChannel` was given ends the attempt.
  ///
  /// The future fails with errors that `TransportFailure.init(_:)` understands.
  func connect(
    on eventLoop: any EventLoop, configuration: TLSConfiguration?,
    onChannel: @escaping @Sendable (any Channel) -> Void
  ) -> EventLoopFuture<any Channel> {
    let context: NIOSSLContext?
    do {
      context = try configuration.map { try NIOSSLContext(configuration: $0) }
    } catch {
      return eventLoop.makeFailedFuture(error)
    }
    let first = proxy?.url ?? server
    return ClientBootstrap(group: eventLoop)
      .connectTimeout(connectTimeout)
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .connect(host: first.host, port: first.port)
      .flatMap { channel in
        onChannel(channel)
        return keepAlive(channel)
          .flatMap { handshakeWithProxy(channel) }
          .flatMap { handshakeWithServer(channel, context: context) }
          .map { channel }
          .flatMapError { error in
            // The error that is told is the first; what closing makes of it does not matter.
            channel.close().recover { _ in }.flatMapThrowing { throw error }
          }
      }
      .flatMapErrorThrowing { error in throw describe(error) }
  }

  private func handshakeWithProxy(_ channel: any Channel) -> EventLoopFuture<Void> {
    guard let proxy else { return channel.eventLoop.makeSucceededVoidFuture() }
    switch proxy.kind {
    case .http, .https:
      let target = server.authority
      let authorization = proxy.authorization
      return step(on: channel) { (pipeline, promise) in
        let handler = ProxyConnectHandler(target: target, authorization: authorization, promise: promise)
        try pipeline.addHandler(handler)
        return [handler]
      }
    case .socks5:
      let address: SOCKSAddress
      do {
        address =
          server.address == nil
          ? .domain(server.host, port: server.port)
          : .address(try SocketAddress(ipAddress: server.host, port: server.port))
      } catch {
        return channel.eventLoop.makeFailedFuture(error)
      }
      return step(on: channel) { (pipeline, promise) in
        let handler = SOCKSClientHandler(targetAddress: address)
        let awaiter = HandshakeAwaiter.socks(promise)
        try pipeline.addHandler(awaiter)
        try pipeline.addHandler(handler, position: .before(awaiter))
        // The SOCKS handler stays: once established it passes everything through.
        return [awaiter]
      }
    }
  }

  private func handshakeWithServer(_ channel: any Channel, context: NIOSSLContext?) -> EventLoopFuture<Void> {
    guard let tls, let context else { return channel.eventLoop.makeSucceededVoidFuture() }
    return step(on: channel) { (pipeline, promise) in
      let handler = try NIOSSLClientHandler(context: context, serverHostname: tls.serverName)
      let awaiter = HandshakeAwaiter.tls(promise)
      try pipeline.addHandler(awaiter)
      // An active channel's handler starts when it is added: what awaits it stands there before.
      try pipeline.addHandler(handler, position: .before(awaiter))
      return [awaiter]
    }.flatMapThrowing {
      try tls.identity?.check(on: channel)
    }
  }

  /// Adds handlers that end a step by the promise, and removes those that are returned when it has succeeded.
  private func step(
    on channel: any Channel,
    _ add:
      @escaping @Sendable (ChannelPipeline.SynchronousOperations, EventLoopPromise<Void>) throws
      -> [any RemovableChannelHandler]
  ) -> EventLoopFuture<Void> {
    channel.eventLoop.flatSubmit {
      let promise = channel.eventLoop.makePromise(of: Void.self)
      do {
        let handlers = NIOLoopBound(
          try add(channel.pipeline.syncOperations, promise), eventLoop: channel.eventLoop)
        return promise.futureResult.flatMap {
          .andAllSucceed(
            handlers.value.map { channel.pipeline.syncOperations.removeHandler($0) }, on: channel.eventLoop)
        }
      } catch {
        promise.fail(error)
        return promise.futureResult
      }
    }
  }

  /// A failure before the server was reached is the proxy's where there is one.
  private func describe(_ error: any Error) -> any Error {
    proxy?.describe(TransportFailure(error)) ?? TransportFailure(error)
  }
}

extension ProxyServer {
  /// The failure of a connection through this proxy; it passes if the cause does. What failed before the server was reached failed at the proxy.
  func describe(_ failure: TransportFailure) -> TransportFailure {
    switch failure {
    case .refused: .proxy("the proxy \(url.display) refuses the connection", isTransient: true)
    case .nameNotFound: .proxy("the name of the proxy \(url.display) is not known", isTransient: true)
    case .unreachable(let words): .proxy("the proxy \(url.display): \(words)", isTransient: true)
    case .other(let words): .proxy("the proxy \(url.display): \(words)")
    default: failure
    }
  }
}

/// Lets the kernel detect that the peer of an idle connection is gone. After 30 s of silence it sends three probes, one
/// every 10 s. A connection whose bytes are not acknowledged within a minute is given up.
func keepAlive(_ channel: any Channel) -> EventLoopFuture<Void> {
  guard channel is any SocketOptionProvider else { return channel.eventLoop.makeSucceededVoidFuture() }
  return .andAllSucceed(
    [
      channel.setOption(.socketOption(.so_keepalive), value: 1),
      channel.setOption(.tcpOption(.init(rawValue: TCP_KEEPIDLE)), value: 30),
      channel.setOption(.tcpOption(.init(rawValue: TCP_KEEPINTVL)), value: 10),
      channel.setOption(.tcpOption(.init(rawValue: TCP_KEEPCNT)), value: 3),
      channel.setOption(.tcpOption(.init(rawValue: TCP_USER_TIMEOUT)), value: 60_000),
    ], on: channel.eventLoop)
}
