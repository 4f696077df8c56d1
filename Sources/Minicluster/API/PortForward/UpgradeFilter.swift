internal import NIOCore
internal import NIOHTTP1

/// Lets only those requests ask for an upgrade that get it. It stands in front of NIO's upgrade handler, which drops the
/// request whose upgrade it refuses, and leaves the connection after the first request.
final class UpgradeFilter: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias InboundOut = HTTPServerRequestPart

  private let isUpgraded: (any Channel, HTTPRequestHead) throws -> Bool

  /// - Parameter isUpgraded: whether a request gets its upgrade.
  init(isUpgraded: @escaping (any Channel, HTTPRequestHead) throws -> Bool) { self.isUpgraded = isUpgraded }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard case .head(var head) = unwrapInboundIn(data) else { return context.fireChannelRead(data) }
    do {
      if head.headers.contains(name: "Upgrade"), try !isUpgraded(context.channel, head) {
        head.headers.remove(name: "Upgrade")
        head.headers.remove(name: "Connection")
      }
    } catch {
      context.fireErrorCaught(error)
      context.close(promise: nil)
      return
    }
    context.fireChannelRead(wrapInboundOut(.head(head)))
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }
}
