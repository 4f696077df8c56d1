// Asks a gRPC server for its health (https://github.com/grpc/grpc/blob/master/doc/health-checking.md).
//
// One request on one connection needs little of HTTP/2 (RFC 9113): the frames are written by hand, header fields as
// literals (RFC 7541, section 6.2.2), and of the answer only the data frames are read.

internal import NIOCore
internal import NIOPosix

extension ProbeQuestion {
  /// Asks a server for the health of a service.
  static func checkHealth(host: String, port: Int, service: String, timeout: Duration) async -> ProbeAnswer {
    do {
      let answer = try await withTimeout(timeout) { try await exchange(host, port, service, timeout) }
      guard let answer else { return .failure("timeout: health rpc did not complete within \(timeout.goText)") }
      switch answer {
      case 1?: return .success
      case 2?: return .failure("service unhealthy (responded with \"NOT_SERVING\")")
      case nil: return .failure("error: health rpc failed: the server does not answer grpc.health.v1.Health")
      default: return .failure("service unhealthy (responded with \"UNKNOWN\")")
      }
    } catch {
      return .failure("error: health rpc failed: \(words(for: error, host: host, port: port))")
    }
  }

  /// Returns the status that the server answers with; `nil` if it answers with none.
  private static func exchange(_ host: String, _ port: Int, _ service: String, _ timeout: Duration) async throws
    -> UInt8?
  {
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connectTimeout(TimeAmount(timeout))
      .connect(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await channel.executeThenClose { inbound, outbound in
      try await outbound.write(HealthExchange.request(service: service, authority: "\(host):\(port)"))
      var exchange = HealthExchange()
      for try await bytes in inbound {
        let reply = exchange.receive(bytes)
        if reply.readableBytes > 0 { try await outbound.write(reply) }
        if exchange.isOver { break }
      }
      return exchange.status
    }
  }
}

/// The frames of one health check.
struct HealthExchange: Sendable {
  private enum Frame {
    static let data: UInt8 = 0
    static let headers: UInt8 = 1
    static let reset: UInt8 = 3
    static let settings: UInt8 = 4
    static let ping: UInt8 = 6
    static let goAway: UInt8 = 7
  }

  private static let endStream: UInt8 = 1
  private static let acknowledgement: UInt8 = 1
  private static let endHeaders: UInt8 = 4
  private static let padded: UInt8 = 8

  private var received = ByteBuffer()
  private var message = ByteBuffer()
  /// Whether the answer has ended.
  private(set) var isOver = false

  /// An exchange of which nothing has been received.
  init() {}

  /// The connection's beginning and the request.
  static func request(service: String, authority: String) -> ByteBuffer {
    var bytes = ByteBuffer(string: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    write(&bytes, Frame.settings, flags: 0, stream: 0, ByteBuffer())
    // `:method: POST` and `:scheme: http` are in the static table.
    var fields = ByteBuffer(bytes: [0x83, 0x86])
    let literals: [(index: [UInt8], value: String)] = [
      ([0x04], "/grpc.health.v1.Health/Check"), ([0x01], authority), ([0x0f, 0x10], "application/grpc"),
      ([0x00, 0x02] + "te".utf8, "trailers"),
    ]
    for (index, value) in literals {
      fields.writeBytes(index)
      fields.writeInteger(UInt8(min(value.utf8.count, 126)))
      fields.writeBytes(value.utf8.prefix(126))
    }
    write(&bytes, Frame.headers, flags: endHeaders, stream: 1, fields)
    // HealthCheckRequest: the service's name is field 1.
    var request = ByteBuffer()
    if !service.isEmpty {
      let name = Array(service.utf8.prefix(126))
      request.writeBytes([0x0a, UInt8(name.count)] + name)
    }
    var message = ByteBuffer(bytes: [0])
    message.writeInteger(UInt32(request.readableBytes))
    message.writeImmutableBuffer(request)
    write(&bytes, Frame.data, flags: endStream, stream: 1, message)
    return bytes
  }

  private static func write(
    _ bytes: inout ByteBuffer, _ type: UInt8, flags: UInt8, stream: UInt32, _ payload: ByteBuffer
  ) {
    let count = UInt32(payload.readableBytes)
    bytes.writeBytes([UInt8(count >> 16 & 0xff), UInt8(count >> 8 & 0xff), UInt8(count & 0xff), type, flags])
    bytes.writeInteger(stream)
    bytes.writeImmutableBuffer(payload)
  }

  /// Takes in bytes. Returns what is to be sent for them.
  mutating func receive(_ bytes: ByteBuffer) -> ByteBuffer {
    received.writeImmutableBuffer(bytes)
    var reply = ByteBuffer()
    while let (type, flags, stream, payload) = nextFrame() {
      switch type {
      case Frame.settings where flags & Self.acknowledgement == 0:
        Self.write(&reply, Frame.settings, flags: Self.acknowledgement, stream: 0, ByteBuffer())
      case Frame.ping where flags & Self.acknowledgement == 0:
        Self.write(&reply, Frame.ping, flags: Self.acknowledgement, stream: 0, payload)
      case Frame.data where stream == 1: add(payload, isPadded: flags & Self.padded != 0)
      case Frame.reset, Frame.goAway: isOver = true
      default: break
      }
      if type == Frame.data || type == Frame.headers, flags & Self.endStream != 0 { isOver = true }
    }
    return reply
  }

  private mutating func add(_ payload: ByteBuffer, isPadded: Bool) {
    var payload = payload
    let padding = isPadded ? Int(payload.readInteger(as: UInt8.self) ?? 0) : 0
    guard let part = payload.readSlice(length: max(0, payload.readableBytes - padding)) else { return }
    message.writeImmutableBuffer(part)
  }

  private mutating func nextFrame() -> (UInt8, UInt8, UInt32, ByteBuffer)? {
    let start = received.readerIndex
    guard let size = received.getBytes(at: start, length: 3),
      let type = received.getInteger(at: start + 3, as: UInt8.self),
      let flags = received.getInteger(at: start + 4, as: UInt8.self),
      let stream = received.getInteger(at: start + 5, as: UInt32.self)
    else { return nil }
    let count = Int(size[0]) << 16 | Int(size[1]) << 8 | Int(size[2])
    guard received.readableBytes >= 9 + count else { return nil }
    received.moveReaderIndex(forwardBy: 9)
    guard let payload = received.readSlice(length: count) else { return nil }
    received.discardReadBytes()
    return (type, flags, stream & 0x7fff_ffff, payload)
  }

  /// The status in the answer (HealthCheckResponse, field 1): 1 is SERVING. `nil` if there is no answer.
  var status: UInt8? {
    var message = message
    guard message.readInteger(as: UInt8.self) == 0, let count = message.readInteger(as: UInt32.self),
      let response = message.readBytes(length: Int(count))
    else { return nil }
    // A field that is 0 is not written.
    guard response.count >= 2, response[0] == 0x08 else { return 0 }
    return response[1]
  }
}
