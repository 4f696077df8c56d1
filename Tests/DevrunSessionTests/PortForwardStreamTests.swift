import DevrunKube
import DevrunTunnel
import NIOCore
import NIOEmbedded
import Testing

@testable import DevrunSession

@Suite("Port-forwards as streams")
struct PortForwardStreamTests {
  /// The errors that a stream reported.
  private final class Failures {
    var errors: [any Error] = []
    var all: [PortForwardError?] { errors.map { $0 as? PortForwardError } }
  }

  /// What a relay does to its near side.
  private final class NearSide: ChannelOutboundHandler {
    typealias OutboundIn = ByteBuffer

    var wasReset = false
    var wasEnded = false

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
      if event is StreamReset { wasReset = true }
      context.close(promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
      if mode == .output { wasEnded = true }
      if mode == .output { promise?.succeed() } else { context.close(mode: mode, promise: promise) }
    }
  }

  private func stream(
    on loop: EmbeddedEventLoop = EmbeddedEventLoop(), isNearGone: @escaping () -> Bool = { false }
  ) throws -> (EmbeddedChannel, Failures) {
    let failures = Failures()
    let stream = PortForwardStream(isNearGone: isNearGone) { failures.errors.append($0) }
    let channel = EmbeddedChannel(handler: stream, loop: loop)
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    #expect(channel.isActive)
    return (channel, failures)
  }

  @Test func `A far end that is silent for a minute after this side's end has failed`() throws {
    let (channel, failures) = try stream()
    channel.embeddedEventLoop.advanceTime(by: .seconds(600))
    channel.read()
    channel.close(mode: .output, promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(59))
    try channel.writeInbound(ByteBuffer(string: "more"))
    channel.read()
    channel.embeddedEventLoop.advanceTime(by: .seconds(59))
    #expect(channel.isActive)
    #expect(try channel.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "more"))
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
    #expect(failures.errors.map { $0 as? UnknownEnd } == [UnknownEnd(silence: .seconds(60))])
    #expect(throws: UnknownEnd.self) { try channel.throwIfErrorCaught() }
  }

  @Test func `The silence does not count while nobody takes what the far end sends`() throws {
    let (channel, failures) = try stream()
    channel.close(mode: .output, promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(600))
    #expect(channel.isActive)
    channel.read()
    channel.embeddedEventLoop.advanceTime(by: .seconds(70))
    #expect(!channel.isActive)
    #expect(failures.errors.count == 1)
  }

  @Test func `A stream that nobody on this side has any more is closed, and has not failed`() throws {
    let (channel, failures) = try stream(isNearGone: { true })
    channel.read()
    channel.close(mode: .output, promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    #expect(!channel.isActive)
    #expect(failures.errors.isEmpty)
    try channel.throwIfErrorCaught()
  }

  @Test func `A client whose answer does not come is reset, so that nothing looks whole`() throws {
    let loop = EmbeddedEventLoop()
    let (far, failures) = try stream(on: loop)
    let side = NearSide()
    let near = EmbeddedChannel(handler: side, loop: loop)
    try near.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 2), promise: nil)
    try Relay.join(near, far, farEndsWhole: true)
    near.pipeline.fireUserInboundEventTriggered(ChannelEvent.inputClosed)
    loop.advanceTime(by: .seconds(60))
    #expect(failures.errors.count == 1)
    #expect(side.wasReset)
    #expect(!side.wasEnded)
    #expect(!far.isActive)
  }

  @Test func `A stream that the far side ends has not failed`() throws {
    let (channel, failures) = try stream()
    channel.pipeline.fireUserInboundEventTriggered(PortForwardEnd())
    channel.close(promise: nil)
    #expect(failures.all.isEmpty)
    try channel.throwIfErrorCaught()
  }

  @Test func `A stream that closes without an end has failed, and one that fails reports it once`() throws {
    let (cut, words) = try stream()
    cut.close(promise: nil)
    #expect(words.all == [.closed(code: 1006, reason: "without a word")])
    #expect(throws: PortForwardError.self) { try cut.throwIfErrorCaught() }

    let (refused, reasons) = try stream()
    refused.pipeline.fireErrorCaught(PortForwardError.remote("connection refused"))
    refused.close(promise: nil)
    #expect(reasons.all == [.remote("connection refused")])
  }

  @Test func `A reset closes the stream, and is no failure`() throws {
    let (channel, failures) = try stream()
    channel.triggerUserOutboundEvent(StreamReset(), promise: nil)
    #expect(!channel.isActive)
    #expect(failures.all.isEmpty)
  }
}
