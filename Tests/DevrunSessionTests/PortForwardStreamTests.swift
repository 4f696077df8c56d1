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
    var all: [PortForwardError?] = []
  }

  private func stream() throws -> (EmbeddedChannel, Failures) {
    let failures = Failures()
    let channel = EmbeddedChannel(handler: PortForwardStream { failures.all.append($0 as? PortForwardError) })
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1), promise: nil)
    #expect(channel.isActive)
    return (channel, failures)
  }

  @Test func `After this side's end the stream closes once nothing has come for ten seconds`() throws {
    let (channel, failures) = try stream()
    channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    channel.close(mode: .output, promise: nil)
    channel.embeddedEventLoop.advanceTime(by: .seconds(9))
    try channel.writeInbound(ByteBuffer(string: "more"))
    channel.embeddedEventLoop.advanceTime(by: .seconds(9))
    #expect(channel.isActive)
    #expect(try channel.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "more"))
    channel.embeddedEventLoop.advanceTime(by: .seconds(1))
    #expect(!channel.isActive)
    #expect(failures.all.isEmpty)
    try channel.throwIfErrorCaught()
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
