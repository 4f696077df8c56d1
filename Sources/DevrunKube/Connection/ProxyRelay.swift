// A way to a proxy that is itself reached over TLS.
//
// The HTTP client connects to proxies in the clear only. For a proxy over TLS there is a listener on this machine's
// loopback. The HTTP client and port-forwards connect to it as to a proxy in the clear, and each connection is carried
// to the real proxy over TLS, unchanged. Another user of the machine who connects to the listener gets no more than the
// proxy gives to everybody: the proxy's credentials (`Proxy-Authorization`) come from the connections themselves.

import DevrunCore
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// The listener for one proxy.
final class ProxyRelay: Sendable {
  /// The listener's port on 127.0.0.1.
  let port: Int
  private let channel: any Channel
  private let failure: NIOLockedValueBox<TransportFailure?>

  /// Listens; each connection is led to where `connector` goes, with TLS as `configuration` says. Not to be called on
  /// an event loop: it waits for the port.
  init(_ connector: ServerConnector, configuration: TLSConfiguration, group: any EventLoopGroup) throws {
    let failure = NIOLockedValueBox<TransportFailure?>(nil)
    channel = try ServerBootstrap(group: group)
      .childChannelOption(.autoRead, value: false)
      .childChannelInitializer { accepted in
        connector.connect(on: accepted.eventLoop, configuration: configuration) { _ in }
          .flatMapThrowing { proxy in
            failure.withLockedValue { $0 = nil }
            let (near, far) = RelayHandler.pair()
            proxy.setOption(.autoRead, value: false).whenFailure { _ in proxy.close(promise: nil) }
            try accepted.pipeline.syncOperations.addHandler(near)
            try proxy.pipeline.syncOperations.addHandler(far)
            accepted.closeFuture.whenComplete { _ in proxy.close(promise: nil) }
            proxy.closeFuture.whenComplete { _ in accepted.close(promise: nil) }
          }
          .flatMapErrorThrowing { error in
            failure.withLockedValue { $0 = TransportFailure(error) }
            throw error
          }
      }
      .bind(host: "127.0.0.1", port: 0).wait()
    port = channel.localAddress?.port ?? 0
    self.failure = failure
  }

  /// Why the last connection to the proxy failed, if it did.
  var lastFailure: TransportFailure? { failure.withLockedValue { $0 } }

  /// Stops listening. Connections that are open end with those who use them.
  func close() async throws { try await channel.close() }
}

/// One of two handlers that pass what arrives in one channel on to the other. Each reads as fast as the other writes.
private final class RelayHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private var context: ChannelHandlerContext?
  private weak var partner: RelayHandler?
  private var isReadPending = false

  static func pair() -> (RelayHandler, RelayHandler) {
    let (one, other) = (RelayHandler(), RelayHandler())
    one.partner = other
    other.partner = one
    return (one, other)
  }

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    if context.channel.isActive { context.read() }
  }

  func channelActive(context: ChannelHandlerContext) { context.read() }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    partner?.context?.writeAndFlush(data, promise: nil)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if partner?.context?.channel.isWritable == true { context.read() } else { isReadPending = true }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { partner?.resume() }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func resume() {
    guard isReadPending else { return }
    isReadPending = false
    context?.read()
  }
}
