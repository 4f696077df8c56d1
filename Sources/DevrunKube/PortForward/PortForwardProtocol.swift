// The protocol `v4.channel.k8s.io` for one port, seen from the client (Kubernetes' pkg/kubelet/server/portforward,
// websocket.go). Each WebSocket message belongs to the channel that its first byte names: 0 for data, 1 for errors. The
// first two bytes of each channel are the port's number, little-endian. The bytes of the connection follow them, or the
// text of an error on channel 1.
//
// This is a state machine over frames. It does not put messages together: a fragment's bytes go on as they come, and
// only the channel that the message belongs to is remembered.

import NIOCore
import NIOWebSocket

/// What is received on a port-forward.
struct PortForwardProtocol {
  /// What a frame means.
  enum Action: Equatable {
    /// These bytes came over the forwarded connection.
    case deliver(ByteBuffer)
    /// Answer a ping.
    case pong(ByteBuffer)
    /// The far side told an error.
    case fail(PortForwardError)
    /// The server closes; answer in kind.
    case close(PortForwardError?)
  }

  /// An error's words are cut off at this length.
  private static let maximumErrorSize = 16384

  private let port: UInt16
  /// Whether more fragments of a message are to come.
  private var isInMessage = false
  /// The channel of the message whose fragments are coming, once its first byte has come.
  private var channel: UInt8?
  /// What has come of each channel's port number.
  private var portNumbers: [[UInt8]] = [[], []]
  private var errorText = ByteBuffer()

  /// A machine for a forward of the given port.
  init(port: UInt16) { self.port = port }

  /// Takes the next frame, unmasked.
  mutating func receive(opcode: WebSocketOpcode, isFinal: Bool, payload: ByteBuffer) -> [Action] {
    switch opcode {
    case .binary, .text, .continuation:
      return receiveData(isContinuation: opcode == .continuation, isFinal: isFinal, payload: payload)
    case .ping: return [.pong(payload)]
    case .pong: return []
    case .connectionClose: return [.close(Self.closeError(payload))]
    default: return [.fail(.protocolViolation("an unknown kind of WebSocket frame came"))]
    }
  }

  private mutating func receiveData(isContinuation: Bool, isFinal: Bool, payload: ByteBuffer) -> [Action] {
    guard isContinuation == isInMessage else {
      return [.fail(.protocolViolation("the fragments of a WebSocket message are out of order"))]
    }
    var payload = payload
    isInMessage = !isFinal
    defer { if isFinal { channel = nil } }
    if channel == nil {
      // A message may begin with an empty fragment, or be empty.
      guard let number: UInt8 = payload.readInteger() else { return [] }
      guard number <= 1 else { return [.fail(.protocolViolation("a message came for channel \(number)"))] }
      channel = number
    }
    guard let number = channel else { return [] }
    if let failure = readPort(of: Int(number), from: &payload) { return [.fail(failure)] }
    if number == 0 { return payload.readableBytes > 0 ? [.deliver(payload)] : [] }
    if errorText.readableBytes < Self.maximumErrorSize { errorText.writeBuffer(&payload) }
    guard isFinal, errorText.readableBytes > 0 else { return [] }
    let words = String(buffer: errorText).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    return [.fail(.remote(words))]
  }

  /// Takes what is still missing of a channel's port number.
  private mutating func readPort(of channel: Int, from payload: inout ByteBuffer) -> PortForwardError? {
    while portNumbers[channel].count < 2, let byte: UInt8 = payload.readInteger() {
      portNumbers[channel].append(byte)
      if portNumbers[channel].count == 2 {
        let number = UInt16(portNumbers[channel][0]) | UInt16(portNumbers[channel][1]) << 8
        if number != port { return .protocolViolation("the cluster forwards port \(number) instead of \(port)") }
      }
    }
    return nil
  }

  /// What a close frame's payload tells (RFC 6455 section 5.5.1); nothing where all is well.
  private static func closeError(_ payload: ByteBuffer) -> PortForwardError? {
    var payload = payload
    guard let code: UInt16 = payload.readInteger() else { return nil }
    let reason = String(buffer: payload)
    return code == 1000 || code == 1001 ? nil : .closed(code: Int(code), reason: reason)
  }
}
