package import NIOCore

/// The agent's side of the preface: checks, answers, and makes way for HTTP/2.
///
/// Whoever does not come with a complete preface in time, or with the wrong secret, is answered and closed. It cannot
/// make the agent hold more than the preface's length.
package final class PrefaceServerHandler: ChannelInboundHandler, RemovableChannelHandler {
  package typealias InboundIn = ByteBuffer
  package typealias InboundOut = ByteBuffer
  package typealias OutboundOut = ByteBuffer

  private let digest: SecretDigest
  private let timeout: TimeAmount
  private let upgrade: (Preface, any Channel) throws -> Void
  private var parser = PrefaceParser()
  private var timer: Scheduled<Void>?
  private var done = false

  /// - Parameters:
  ///   - digest: of the secret that is asked for.
  ///   - timeout: how long the preface may take.
  ///   - upgrade: adds HTTP/2 to the channel of a peer that showed the secret; called on the event loop.
  package init(
    digest: SecretDigest, timeout: TimeAmount, upgrade: @escaping (Preface, any Channel) throws -> Void
  ) {
    self.digest = digest
    self.timeout = timeout
    self.upgrade = upgrade
  }

  package func handlerAdded(context: ChannelHandlerContext) {
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    timer = context.eventLoop.scheduleTask(in: timeout) { bound.value.close(promise: nil) }
  }

  package func handlerRemoved(context: ChannelHandlerContext) { timer?.cancel() }

  package func channelInactive(context: ChannelHandlerContext) {
    timer?.cancel()
    context.fireChannelInactive()
  }

  package func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !done else { return }
    var buffer = unwrapInboundIn(data)
    do throws(PrefaceError) {
      let (taken, preface) = try parser.preface(from: buffer.readableBytesView)
      buffer.moveReaderIndex(forwardBy: taken)
      guard let preface else { return }
      guard digest.matches(preface.secret) else {
        return refuse(.wrongSecret, "the secret is not this session's", context: context)
      }
      accept(preface, rest: buffer, context: context)
    } catch {
      switch error {
      case .notOurs, .malformed: refuse(.malformed, "this is no preface of devrun", context: context)
      case .version(let version):
        let text = "this agent speaks version \(Preface.currentVersion) of the protocol, not \(version)"
        refuse(.unsupportedVersion, text, context: context)
      }
    }
  }

  private func accept(_ preface: Preface, rest: ByteBuffer, context: ChannelHandlerContext) {
    done = true
    timer?.cancel()
    write(.accepted(version: Preface.currentVersion), context: context, promise: nil)
    do {
      try upgrade(preface, context.channel)
    } catch {
      context.fireErrorCaught(error)
      return context.close(promise: nil)
    }
    if rest.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(rest))
      context.fireChannelReadComplete()
    }
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  private func refuse(_ reason: PrefaceRefusal, _ text: String, context: ChannelHandlerContext) {
    done = true
    let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
    let written = context.eventLoop.makePromise(of: Void.self)
    written.futureResult.whenComplete { _ in bound.value.close(promise: nil) }
    write(
      .refused(version: Preface.currentVersion, code: reason.rawValue, text: text), context: context, promise: written)
  }

  private func write(_ answer: PrefaceAnswer, context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: answer.bytes)), promise: promise)
  }
}

/// devrun's side of the preface.
final class PrefaceClientHandler: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let preface: Preface
  private let upgrade: (any Channel) throws -> Void
  private let result: EventLoopPromise<Void>
  private var parser = PrefaceParser()
  private var sent = false
  private var lastError: (any Error)?

  /// - Parameters:
  ///   - result: succeeds after the upgrade, fails with a `TunnelError`.
  ///   - upgrade: adds HTTP/2 to the channel; called on the event loop.
  init(_ preface: Preface, result: EventLoopPromise<Void>, upgrade: @escaping (any Channel) throws -> Void) {
    self.preface = preface
    self.result = result
    self.upgrade = upgrade
  }

  func handlerAdded(context: ChannelHandlerContext) {
    if context.channel.isActive { send(context: context) }
  }

  func channelActive(context: ChannelHandlerContext) {
    send(context: context)
    context.fireChannelActive()
  }

  private func send(context: ChannelHandlerContext) {
    guard !sent else { return }
    sent = true
    context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: preface.bytes)), promise: nil)
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var buffer = unwrapInboundIn(data)
    do {
      let (taken, answer) = try parser.answer(from: buffer.readableBytesView)
      buffer.moveReaderIndex(forwardBy: taken)
      switch answer {
      case nil: return
      case .refused(let version, let code, let text):
        throw TunnelError.refused(PrefaceRefusal(rawValue: code), agentVersion: version, text)
      case .accepted(let version) where version != Preface.currentVersion:
        throw TunnelError.refused(.unsupportedVersion, agentVersion: version, "the agent accepted another version")
      case .accepted:
        try upgrade(context.channel)
      }
    } catch {
      let cause = error as? TunnelError ?? .noAgent("what answers there does not speak devrun's protocol: \(error)")
      result.fail(cause)
      return context.close(promise: nil)
    }
    if buffer.readableBytes > 0 {
      context.fireChannelRead(wrapInboundOut(buffer))
      context.fireChannelReadComplete()
    }
    result.succeed()
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    lastError = error
    context.fireErrorCaught(error)
  }

  func channelInactive(context: ChannelHandlerContext) {
    result.fail(TunnelError.noAgent(lastError.map { "\($0)" } ?? "the connection was closed before the agent answered"))
    context.fireChannelInactive()
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    // A promise that is complete ignores this; one that is not would hang whoever waits.
    result.fail(TunnelError.noAgent("the connection was closed before the agent answered"))
  }
}
