package import NIOCore
package import NIOHTTP2

/// The last handler of a connection of the tunnel: takes what nobody else wants, and says why the connection ended.
package final class ConnectionEndHandler: ChannelInboundHandler {
  package typealias InboundIn = HTTP2Frame

  private let onEnd: ((any Error)?) -> Void
  private var lastError: (any Error)?
  private var ended = false

  /// - Parameter onEnd: called once, on the event loop, with the error that ended the connection, if there was one.
  package init(onEnd: @escaping ((any Error)?) -> Void) { self.onEnd = onEnd }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    // Settings and pings NIOHTTP2 has acted on already. With GOAWAY the peer gives the whole connection up.
    if case .goAway(_, let code, _) = unwrapInboundIn(data).payload {
      if lastError == nil { lastError = NIOHTTP2Errors.streamClosed(streamID: .rootStream, errorCode: code) }
      context.close(promise: nil)
    }
  }

  package func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if lastError == nil { lastError = error }
    // NIOHTTP2 tells the errors of single streams here too, and the other streams must go on. When an error is the
    // connection's, it has sent GOAWAY, and the peer closes the connection.
    if !(error is any NIOHTTP2Error) { context.close(promise: nil) }
  }

  package func channelInactive(context: ChannelHandlerContext) { end() }

  package func handlerRemoved(context: ChannelHandlerContext) { end() }

  private func end() {
    guard !ended else { return }
    ended = true
    onEnd(lastError)
  }
}
