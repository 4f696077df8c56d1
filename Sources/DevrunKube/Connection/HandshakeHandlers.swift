import NIOCore
import NIOSOCKS
import NIOTLS

/// Waits in a pipeline for the handler before it to finish a handshake, told by an inbound event.
final class HandshakeAwaiter: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer

  private let promise: EventLoopPromise<Void>
  private let isDone: (Any) -> Bool

  /// Succeeds `promise` at the first event that `isDone` accepts. Fails it if an error or the channel's end is first.
  init(promise: EventLoopPromise<Void>, isDone: @escaping (Any) -> Bool) {
    self.promise = promise
    self.isDone = isDone
  }

  /// Awaits the end of a TLS handshake.
  static func tls(_ promise: EventLoopPromise<Void>) -> HandshakeAwaiter {
    HandshakeAwaiter(promise: promise) { event in
      if case .handshakeCompleted = event as? TLSUserEvent { true } else { false }
    }
  }

  /// Awaits the end of a SOCKS handshake.
  static func socks(_ promise: EventLoopPromise<Void>) -> HandshakeAwaiter {
    HandshakeAwaiter(promise: promise) { $0 is SOCKSProxyEstablishedEvent }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if isDone(event) { promise.succeed() }
    context.fireUserInboundEventTriggered(event)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.fireErrorCaught(error)
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(TransportFailure.dropped("the other side closed it during the handshake"))
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    promise.fail(ChannelError.ioOnClosedChannel)
  }
}

/// Asks an HTTP proxy for a tunnel (`CONNECT`, RFC 9110 section 9.3.6). Sends its request when added to an active
/// channel, and can be removed once its promise has succeeded. The bytes that followed the proxy's answer are then
/// passed on.
final class ProxyConnectHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// A proxy's answer has a head of some hundred bytes.
  private static let maximumHeadSize = 16384

  private let target: String
  private let authorization: String?
  private let promise: EventLoopPromise<Void>
  private var received = ByteBuffer()
  private var isEstablished = false

  /// A request for a tunnel to `target` (`host:port`).
  init(target: String, authorization: String?, promise: EventLoopPromise<Void>) {
    self.target = target
    self.authorization = authorization
    self.promise = promise
  }

  func handlerAdded(context: ChannelHandlerContext) {
    var head = "CONNECT \(target) HTTP/1.1\r\nHost: \(target)\r\n"
    if let authorization { head += "Proxy-Authorization: \(authorization)\r\n" }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: head + "\r\n")), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    received.writeBuffer(&bytes)
    guard !isEstablished else { return }
    guard let end = received.readableBytesView.firstRange(of: Array("\r\n\r\n".utf8))?.upperBound else {
      if received.readableBytes > Self.maximumHeadSize { fail("the proxy's answer is no HTTP", context) }
      return
    }
    let head = received.readString(length: end - received.readerIndex) ?? ""
    let statusLine = head.prefix { $0 != "\r\n" && $0 != "\r" && $0 != "\n" }
    let fields = statusLine.split(separator: " ", maxSplits: 2)
    guard fields.count >= 2, fields[0].hasPrefix("HTTP/1."), let status = Int(fields[1]) else {
      return fail("the proxy's answer is no HTTP", context)
    }
    switch status {
    case 200..<300:
      isEstablished = true
      promise.succeed()
    case 407: fail("the proxy wants a user and a password (407)", context)
    default:
      fail(
        "the proxy answers: \(fields.dropFirst().joined(separator: " "))", context,
        isTransient: [408, 429, 500, 502, 503, 504].contains(status))
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(TransportFailure.proxy("the proxy closed the connection", isTransient: true))
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    promise.fail(error)
    context.fireErrorCaught(error)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    promise.fail(ChannelError.ioOnClosedChannel)
    if received.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(received))
      context.fireChannelReadComplete()
    }
  }

  private func fail(_ words: String, _ context: ChannelHandlerContext, isTransient: Bool = false) {
    promise.fail(TransportFailure.proxy(words, isTransient: isTransient))
    context.close(promise: nil)
  }
}
