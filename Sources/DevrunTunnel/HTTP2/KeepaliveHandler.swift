package import NIOCore
internal import NIOHTTP2

/// How soon an end notices that the other is gone without a word (sleep, a changed network, a cut cable).
package struct Keepalive: Sendable, Hashable {
  /// A connection on which nothing came for so long is asked.
  package var interval: TimeAmount
  /// A connection that does not answer for so long is dead.
  package var timeout: TimeAmount

  package init(interval: TimeAmount = .seconds(10), timeout: TimeAmount = .seconds(20)) {
    self.interval = interval
    self.timeout = timeout
  }
}

/// The peer did not answer in time.
package struct KeepaliveTimeout: Error, Sendable {}

/// Sends HTTP/2 PING (RFC 9113 section 6.7) on a silent connection and closes it when nothing at all comes back.
final class KeepaliveHandler: ChannelInboundHandler {
  typealias InboundIn = HTTP2Frame
  typealias InboundOut = HTTP2Frame
  typealias OutboundOut = HTTP2Frame

  private let keepalive: Keepalive
  private var timer: Scheduled<Void>?
  private var heardSinceTimer = false

  init(_ keepalive: Keepalive) { self.keepalive = keepalive }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { schedule(in: keepalive.interval, context: context) { $0.ask(context: $1) } }
  }

  func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    context.fireChannelInactive()
  }

  /// NIOHTTP2 passes the end of each read on, whatever the read held.
  func channelReadComplete(context: ChannelHandlerContext) {
    heardSinceTimer = true
    context.fireChannelReadComplete()
  }

  private func ask(context: ChannelHandlerContext) {
    guard !heardSinceTimer else {
      heardSinceTimer = false
      return schedule(in: keepalive.interval, context: context) { $0.ask(context: $1) }
    }
    let ping = HTTP2Frame(streamID: .rootStream, payload: .ping(HTTP2PingData(withInteger: 0), ack: false))
    context.writeAndFlush(wrapOutboundOut(ping), promise: nil)
    schedule(in: keepalive.timeout, context: context) { $0.judge(context: $1) }
  }

  private func judge(context: ChannelHandlerContext) {
    guard !heardSinceTimer else {
      heardSinceTimer = false
      return schedule(in: keepalive.interval, context: context) { $0.ask(context: $1) }
    }
    context.fireErrorCaught(KeepaliveTimeout())
    context.close(promise: nil)
  }

  private func schedule(
    in delay: TimeAmount, context: ChannelHandlerContext,
    _ body: @escaping @Sendable (KeepaliveHandler, ChannelHandlerContext) -> Void
  ) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: delay) { body(bound.value.0, bound.value.1) }
  }
}
