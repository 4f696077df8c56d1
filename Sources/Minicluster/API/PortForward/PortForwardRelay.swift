// Port-forward over WebSocket, `v4.channel.k8s.io`, seen from the server. The first byte of each message names its channel:
// 0 for data, 1 for errors. The server begins each channel with the port's number, two bytes, little-endian. The protocol
// has no half-close: when the pod's side has ended, the server closes the WebSocket.

internal import DevrunKube
internal import DevrunSystem
internal import NIOCore
internal import NIOWebSocket

/// Relays between a WebSocket and a port of a pod.
struct PortForwardRelay: Sendable {
  /// A WebSocket's channel.
  typealias WebSocket = NIOAsyncChannel<WebSocketFrame, WebSocketFrame>
  private typealias Connection = NIOAsyncChannel<ByteBuffer, ByteBuffer>
  private typealias Frames = NIOAsyncChannelInboundStream<WebSocketFrame>
  private typealias FrameWriter = NIOAsyncChannelOutboundWriter<WebSocketFrame>

  /// What is forwarded.
  let request: PortForwardRequest
  /// The pod's node.
  let node: any NodeAccess

  /// The largest payload of one message.
  private static let maximumPayload = 64 * 1024

  /// Relays until one side ends, or the task is cancelled.
  func run(_ socket: WebSocket) async throws {
    try await socket.executeThenClose { frames, writer in
      let number = [UInt8(truncatingIfNeeded: request.port), UInt8(truncatingIfNeeded: request.port >> 8)]
      for channel in [UInt8(0), 1] { try await writer.write(Self.message(channel, ByteBuffer(bytes: number))) }
      do {
        try await relay(frames, writer, try await connect(on: socket.channel.eventLoop))
      } catch let error where !(error is CancellationError) && socket.channel.isActive {
        let words = "error forwarding port \(request.port) to pod \(request.pod.name), uid \(request.uid): "
        try await writer.write(Self.message(1, ByteBuffer(string: words + Self.words(error))))
      }
      // Waits until all is written: closing the channel would drop the rest.
      let end = WebSocketFrame(fin: true, opcode: .connectionClose, data: ByteBuffer(integer: UInt16(1000)))
      try await socket.channel.writeAndFlush(end).get()
    }
  }

  private func connect(on loop: any EventLoop) async throws -> Connection {
    let channel = try await node.connect(to: Int(request.port), of: request.pod, on: loop)
    let connection = try await channel.eventLoop.submit {
      try Connection(wrappingChannelSynchronously: channel)
    }.get()
    try await channel.setOption(.autoRead, value: true).get()
    // Releases what came before there was a reader.
    channel.read()
    return connection
  }

  private func relay(_ frames: Frames, _ writer: FrameWriter, _ connection: Connection) async throws {
    try await connection.executeThenClose { bytes, podWriter in
      try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
          for try await part in bytes {
            var part = part
            while let piece = part.readSlice(length: min(part.readableBytes, Self.maximumPayload)),
              piece.readableBytes > 0
            {
              try await writer.write(Self.message(0, piece))
            }
          }
        }
        group.addTask { try await Self.receive(frames, writer, podWriter) }
        try await group.next()
        group.cancelAll()
      }
    }
  }

  /// Writes the data that comes over the WebSocket, until the client closes it.
  private static func receive(
    _ frames: Frames, _ writer: FrameWriter, _ podWriter: NIOAsyncChannelOutboundWriter<ByteBuffer>
  ) async throws {
    // The channel of the message whose fragments are coming.
    var channel: UInt8?
    for try await frame in frames {
      var payload = frame.unmaskedData
      switch frame.opcode {
      case .binary, .text, .continuation:
        if frame.opcode != .continuation { channel = nil }
        // A message may begin with an empty fragment.
        if channel == nil { channel = payload.readInteger() }
        if channel == 0, payload.readableBytes > 0 { try await podWriter.write(payload) }
      case .ping: try await writer.write(WebSocketFrame(fin: true, opcode: .pong, data: payload))
      case .connectionClose: return
      default: continue
      }
    }
  }

  private static func message(_ channel: UInt8, _ payload: ByteBuffer) -> WebSocketFrame {
    var data = ByteBuffer()
    data.reserveCapacity(payload.readableBytes + 1)
    data.writeInteger(channel)
    data.writeImmutableBuffer(payload)
    return WebSocketFrame(fin: true, opcode: .binary, data: data)
  }

  /// The words for a failure, as those of a node: `connect: connection refused`.
  private static func words(_ error: any Error) -> String {
    switch error {
    case let error as IOError: "connect: \(Errno(rawValue: error.errnoCode).description.lowercased())"
    case let error as Errno: "connect: \(error.description.lowercased())"
    case let error as APIFailure: error.status.message
    default: "\(error)"
    }
  }
}
