import NIOCore
import NIOEmbedded
import NIOWebSocket
import Testing

@testable import DevrunKube

@Suite("Port-forward handler")
struct PortForwardHandlerTests {
  /// Remembers the first error that comes up.
  private final class ErrorCatcher: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    var error: (any Error)?

    func errorCaught(context: ChannelHandlerContext, error: any Error) { self.error = self.error ?? error }
  }

  private let channel = EmbeddedChannel()
  private let errors = ErrorCatcher()

  init() throws {
    try channel.pipeline.syncOperations.addHandlers([
      PortForwardHandler(port: 8080, pingInterval: .seconds(30)), errors,
    ])
    try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
  }

  /// The opcodes of what was written since the last call.
  private func written() throws -> [WebSocketOpcode?] {
    var opcodes: [WebSocketOpcode?] = []
    while let frame = try channel.readOutbound(as: ByteBuffer.self) {
      opcodes.append(WebSocketOpcode(encodedWebSocketOpcode: (frame.readableBytesView.first ?? 0) & 0x0f))
    }
    return opcodes
  }

  private func receive(_ opcode: WebSocketOpcode, _ bytes: [UInt8]) throws {
    try channel.writeInbound(WebSocketFrame(fin: true, opcode: opcode, data: ByteBuffer(bytes: bytes)))
  }

  @Test func `A port-forward pings at every interval and stays open while something arrives`() throws {
    channel.read()
    for _ in 0..<10 {
      channel.embeddedEventLoop.advanceTime(by: .seconds(30))
      #expect(try written() == [.ping])
      try receive(.pong, [])
      channel.read()
    }
    #expect(channel.isActive)
    #expect(errors.error == nil)
    _ = try channel.finish(acceptAlreadyClosed: true)
  }

  @Test func `A port-forward closes when nothing arrives for two intervals after a ping`() throws {
    channel.read()
    channel.embeddedEventLoop.advanceTime(by: .seconds(60))
    #expect(try written() == [.ping, .ping])
    #expect(channel.isActive)
    channel.embeddedEventLoop.advanceTime(by: .seconds(30))
    #expect(errors.error as? PortForwardError == .peerSilent)
    #expect(try written() == [.connectionClose])
    #expect(!channel.isActive)
  }

  @Test func `A port-forward that nobody reads does not count as silent`() throws {
    channel.embeddedEventLoop.advanceTime(by: .seconds(300))
    #expect(try written().count == 10)
    #expect(channel.isActive)
    #expect(errors.error == nil)
    _ = try channel.finish(acceptAlreadyClosed: true)
  }

  @Test func `Bytes and an error that arrive before a port-forward's first read are kept`() throws {
    try receive(.binary, [0, 0x90, 0x1f])
    try receive(.binary, [0] + Array("bytes".utf8))
    try receive(.binary, [1, 0x90, 0x1f] + Array("gone".utf8))
    #expect(try channel.readInbound(as: ByteBuffer.self) == nil)
    #expect(errors.error == nil)
    channel.read()
    #expect(try channel.readInbound(as: ByteBuffer.self) == ByteBuffer(string: "bytes"))
    #expect(errors.error as? PortForwardError == .remote("gone"))
    #expect(!channel.isActive)
  }

  @Test func `A port-forward answers a ping with a pong`() throws {
    try receive(.ping, [1, 2, 3])
    #expect(try written() == [.pong])
    _ = try channel.finish(acceptAlreadyClosed: true)
  }

  @Test func `A frame that cannot be decoded closes the port-forward`() throws {
    channel.pipeline.fireErrorCaught(NIOWebSocketError.invalidFrameLength)
    guard case .protocolViolation = errors.error as? PortForwardError else {
      Issue.record("\(String(describing: errors.error))")
      return
    }
    #expect(!channel.isActive)
  }

  @Test func `A closed port-forward accepts no writes and sends no pings`() throws {
    try channel.close().wait()
    #expect(try written() == [.connectionClose])
    #expect(throws: ChannelError.self) { try channel.writeOutbound(ByteBuffer(string: "x")) }
    channel.embeddedEventLoop.advanceTime(by: .seconds(300))
    #expect(try written() == [])
  }
}
