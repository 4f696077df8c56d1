package import NIOCore

/// Joins two byte streams of one event loop, both ways, until both have ended or one broke.
///
/// A side is read only while the other takes what was written to it, so that a peer that stops reading stops the peer
/// that sends, and nothing heaps up in between. The rules for endings are `RelayState`'s.
package final class Relay {
  private var state: RelayState
  private var near: RelayHandler?
  private var far: RelayHandler?

  private init(wholes: Set<RelaySide>) { state = RelayState(wholes: wholes) }

  /// Joins the two and starts reading. Must be called on the event loop of both.
  ///
  /// - Parameter farEndsWhole: whether the far channel has no half-close. It then ends by closing, and reports a failure
  ///   as an error before it closes.
  /// - Throws: a `ChannelError` if one of them has closed; the other is then reset.
  package static func join(_ near: any Channel, _ far: any Channel, farEndsWhole: Bool = false) throws {
    let relay = Relay(wholes: farEndsWhole ? [.far] : [])
    let nearHandler = RelayHandler(relay: relay, side: .near)
    let farHandler = RelayHandler(relay: relay, side: .far)
    relay.near = nearHandler
    relay.far = farHandler
    do {
      guard near.isActive, far.isActive else { throw ChannelError.alreadyClosed }
      try near.pipeline.syncOperations.addHandler(nearHandler)
      try far.pipeline.syncOperations.addHandler(farHandler)
    } catch {
      relay.near = nil
      relay.far = nil
      for channel in [near, far] { channel.triggerUserOutboundEvent(StreamReset(), promise: nil) }
      throw error
    }
    nearHandler.readIfWanted()
    farHandler.readIfWanted()
  }

  fileprivate func handler(of side: RelaySide) -> RelayHandler? { side == .near ? near : far }

  fileprivate func inputEnded(on side: RelaySide) { perform(state.inputEnded(on: side)) }

  fileprivate func failed(on side: RelaySide) { perform(state.failed(on: side)) }

  fileprivate func closed(on side: RelaySide) {
    perform(state.closed(on: side))
    if side == .near { near = nil } else { far = nil }
  }

  private func perform(_ actions: [RelayAction]) {
    for action in actions {
      switch action {
      case .closeOutput(let side): handler(of: side)?.closeOutput()
      case .reset(let side): handler(of: side)?.reset()
      case .drain(let side): handler(of: side)?.drain()
      }
    }
  }
}

/// One side of a relay, the last handler of its channel.
private final class RelayHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let relay: Relay
  private let side: RelaySide
  private var context: ChannelHandlerContext?
  private var wantsRead = true
  private var isDraining = false

  init(relay: Relay, side: RelaySide) {
    self.relay = relay
    self.side = side
  }

  private var other: RelayHandler? { relay.handler(of: side.other) }

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) {
    self.context = nil
    relay.closed(on: side)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    if isDraining { return relay.failed(on: side) }
    other?.write(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    if isDraining { return context.read() }
    other?.context?.flush()
    wantsRead = true
    readIfWanted()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    if context.channel.isWritable { other?.readIfWanted() }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if event as? ChannelEvent == .inputClosed { relay.inputEnded(on: side) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { relay.failed(on: side) }

  func channelInactive(context: ChannelHandlerContext) { relay.closed(on: side) }

  /// Asks for more of this side's input, if the other side has room for it.
  func readIfWanted() {
    guard wantsRead, let context, let target = other?.context, target.channel.isWritable else { return }
    wantsRead = false
    context.read()
  }

  private func write(_ buffer: ByteBuffer) { context?.write(wrapOutboundOut(buffer), promise: nil) }

  func closeOutput() {
    guard let context else { return }
    let closed = context.eventLoop.makePromise(of: Void.self)
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    closed.futureResult.whenFailure { _ in bound.value.relay.failed(on: bound.value.side) }
    context.close(mode: .output, promise: closed)
  }

  func drain() {
    isDraining = true
    context?.read()
  }

  func reset() { context?.triggerUserOutboundEvent(StreamReset(), promise: nil) }
}
