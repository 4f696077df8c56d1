internal import NIOCore

/// Holds back what a connection brings until somebody reads: until the first `read` that comes through the pipeline.
///
/// SwiftNIO reads a connection that its peer has closed to the end at once, also while auto-read is off. Handlers that are
/// added later would miss that.
final class SandboxEarlyInput: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private enum Event {
    case bytes(ByteBuffer)
    case bytesComplete
    case user(Any)
    case failure(any Error)
    case inactive
  }

  private var held: [Event] = []
  private var isHolding = true

  func channelRead(context: ChannelHandlerContext, data: NIOAny) { pass(.bytes(unwrapInboundIn(data)), context) }

  func channelReadComplete(context: ChannelHandlerContext) { pass(.bytesComplete, context) }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) { pass(.user(event), context) }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { pass(.failure(error), context) }

  func channelInactive(context: ChannelHandlerContext) { pass(.inactive, context) }

  func read(context: ChannelHandlerContext) {
    if isHolding {
      isHolding = false
      for event in held { fire(event, context) }
      held = []
    }
    context.read()
  }

  private func pass(_ event: Event, _ context: ChannelHandlerContext) {
    if isHolding { held.append(event) } else { fire(event, context) }
  }

  private func fire(_ event: Event, _ context: ChannelHandlerContext) {
    switch event {
    case .bytes(let bytes): context.fireChannelRead(wrapInboundOut(bytes))
    case .bytesComplete: context.fireChannelReadComplete()
    case .user(let event): context.fireUserInboundEventTriggered(event)
    case .failure(let error): context.fireErrorCaught(error)
    case .inactive: context.fireChannelInactive()
    }
  }
}
