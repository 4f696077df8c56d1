import DevrunCore
import NIOCore
import NIOWebSocket
import Testing

@testable import DevrunKube

@Suite("Port-forward frames")
struct PortForwardProtocolTests {
  struct Frame: Sendable {
    var opcode: WebSocketOpcode
    var isFinal: Bool
    var bytes: [UInt8]

    static func binary(_ bytes: [UInt8], isFinal: Bool = true) -> Frame {
      Frame(opcode: .binary, isFinal: isFinal, bytes: bytes)
    }
    static func more(_ bytes: [UInt8], isFinal: Bool = true) -> Frame {
      Frame(opcode: .continuation, isFinal: isFinal, bytes: bytes)
    }
  }

  struct Story: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var frames: [Frame]
    var data: String = ""
    var other: [PortForwardProtocol.Action] = []
  }

  /// 8080 is 0x1f90.
  static let ports = [Frame.binary([0, 0x90, 0x1f]), .binary([1, 0x90, 0x1f])]

  static let stories = [
    Story(testDescription: "begin with the port on both channels", frames: ports),
    Story(
      testDescription: "carry data behind their channel's byte",
      frames: ports + [.binary([0] + Array("hello ".utf8)), .binary([0] + Array("world".utf8))], data: "hello world"),
    Story(
      testDescription: "may have data in the same message as the port",
      frames: [.binary([0, 0x90, 0x1f] + Array("hi".utf8))], data: "hi"),
    Story(
      testDescription: "may be cut anywhere, the port's bytes included",
      frames: [
        .binary([], isFinal: false), .more([0], isFinal: false), .more([0x90], isFinal: false),
        .more([0x1f, 0x61], isFinal: false), .more([], isFinal: false), .more([0x62]), .binary([0, 0x63]),
      ], data: "abc"),
    Story(
      testDescription: "may bring a port in two messages", frames: [.binary([0, 0x90]), .binary([0, 0x1f, 0x61])],
      data: "a"),
    Story(testDescription: "may be empty", frames: ports + [.binary([]), .binary([0])]),
    Story(
      testDescription: "may be of the text kind",
      frames: ports + [Frame(opcode: .text, isFinal: true, bytes: [0, 0x61])],
      data: "a"),
    Story(
      testDescription: "tell an error whole, though it comes in pieces",
      frames: ports + [
        .binary([1] + Array("connection\n".utf8), isFinal: false), .binary([]).asPing, .more(Array("refused ".utf8)),
      ], other: [.pong(ByteBuffer()), .fail(.remote("connection refused"))]),
    Story(
      testDescription: "are answered when they are pings",
      frames: [Frame(opcode: .ping, isFinal: true, bytes: [7, 8]), Frame(opcode: .pong, isFinal: true, bytes: [])],
      other: [.pong(ByteBuffer(bytes: [7, 8]))]),
    Story(
      testDescription: "may close", frames: [Frame(opcode: .connectionClose, isFinal: true, bytes: [0x03, 0xe8])],
      other: [.close(nil)]),
    Story(
      testDescription: "may close without a word",
      frames: [Frame(opcode: .connectionClose, isFinal: true, bytes: [])], other: [.close(nil)]),
    Story(
      testDescription: "may close because of trouble",
      frames: [Frame(opcode: .connectionClose, isFinal: true, bytes: [0x03, 0xf3] + Array("oops".utf8))],
      other: [.close(.closed(code: 1011, reason: "oops"))]),
    Story(
      testDescription: "of another channel are a violation", frames: [.binary([2, 1])],
      other: [.fail(.protocolViolation("a message came for channel 2"))]),
    Story(
      testDescription: "of another port are a violation", frames: [.binary([0, 80, 0])],
      other: [.fail(.protocolViolation("the cluster forwards port 80 instead of 8080"))]),
    Story(
      testDescription: "without a beginning are a violation", frames: [.more([1])],
      other: [.fail(.protocolViolation("the fragments of a WebSocket message are out of order"))]),
    Story(
      testDescription: "within another message are a violation", frames: [.binary([0], isFinal: false), .binary([0])],
      other: [.fail(.protocolViolation("the fragments of a WebSocket message are out of order"))]),
  ]

  @Test(arguments: stories)
  func `The frames of a port-forward are interpreted as its protocol requires`(_ story: Story) {
    var machine = PortForwardProtocol(port: 8080)
    var data = ByteBuffer()
    var other: [PortForwardProtocol.Action] = []
    for frame in story.frames {
      let actions = machine.receive(
        opcode: frame.opcode, isFinal: frame.isFinal, payload: ByteBuffer(bytes: frame.bytes))
      for action in actions {
        if case .deliver(var bytes) = action { data.writeBuffer(&bytes) } else { other.append(action) }
      }
    }
    #expect(String(buffer: data) == story.data)
    #expect(other == story.other)
  }
}

extension PortForwardProtocolTests.Frame {
  var asPing: Self { Self(opcode: .ping, isFinal: true, bytes: bytes) }
}

@Suite("WebSocket frames of the client")
struct WebSocketFrameWriterTests {
  @Test(arguments: [0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 70000])
  func `A WebSocket frame of any length is encoded as RFC 6455 requires`(count: Int) throws {
    let payload = ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7) })
    var writer = WebSocketFrameWriter()
    let frame = Array(writer.frame(.binary, prefix: 9, payload.readableBytesView).readableBytesView)
    // RFC 6455 section 5.2: FIN and opcode, the mask's bit and the length, the mask, the payload.
    #expect(frame[0] == 0x82)
    #expect(frame[1] & 0x80 == 0x80)
    let extended = [126: 2, 127: 8][frame[1] & 0x7f] ?? 0
    let length =
      extended == 0 ? Int(frame[1] & 0x7f) : frame[2..<2 + extended].reduce(0) { $0 << 8 | Int($1) }
    #expect(length == count + 1)
    let key = frame[(2 + extended)...].prefix(4).map { $0 }
    let masked = frame[(6 + extended)...]
    #expect(masked.count == length)
    let unmasked = masked.enumerated().map { $0.element ^ key[$0.offset % 4] }
    #expect(unmasked == [9] + Array(payload.readableBytesView))
  }

  @Test func `Each WebSocket frame of the client has a mask of its own`() {
    var writer = WebSocketFrameWriter()
    let payload = ByteBuffer(bytes: [UInt8](repeating: 0, count: 16)).readableBytesView
    let frames = Set((0..<8).map { _ in Array(writer.frame(.binary, payload).readableBytesView) })
    #expect(frames.count == 8)
  }
}
