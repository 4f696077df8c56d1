import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunTunnel

/// One end of a byte stream, a TCP connection's or a tunnel's, read only when the test asks.
struct TestSocket: Sendable {
  let channel: any Channel
  private let source: ByteSource

  /// Takes over a channel on which nothing is read yet.
  init(_ channel: any Channel) async throws {
    self.channel = channel
    self.source = try await channel.eventLoop.submit { try Self.prepare(channel) }.get()
  }

  /// The same, on the channel's event loop.
  init(onLoop channel: any Channel) throws {
    self.channel = channel
    self.source = try Self.prepare(channel)
  }

  private static func prepare(_ channel: any Channel) throws -> ByteSource {
    let handler = PullHandler(eventLoop: channel.eventLoop)
    try channel.pipeline.syncOperations.addHandler(handler)
    return ByteSource(handler: NIOLoopBound(handler, eventLoop: channel.eventLoop), channel: channel, name: "the bytes")
  }

  /// The next bytes; `nil` after the peer's half-close. Throws when the peer has reset the stream.
  func read() async throws -> [UInt8]? {
    try await source.next().map { Array($0.readableBytesView) }
  }

  /// Exactly so many bytes.
  func read(exactly count: Int) async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let piece = try await read() else { throw EndedEarly(got: bytes.count) }
      bytes += piece
    }
    #expect(bytes.count == count)
    return bytes
  }

  /// Everything up to the peer's half-close.
  func readAll() async throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let piece = try await read() { bytes += piece }
    return bytes
  }

  func write(_ bytes: [UInt8]) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
  }

  func write(_ text: String) async throws { try await write(Array(text.utf8)) }

  func closeOutput() async throws { try await channel.close(mode: .output).get() }

  func reset() { channel.triggerUserOutboundEvent(StreamReset(), promise: nil) }

  /// Reads until the stream ends.
  ///
  /// - Returns: whether it ended by a reset.
  func isReset() async -> Bool {
    do {
      while try await read() != nil {}
      return false
    } catch {
      return true
    }
  }

  struct EndedEarly: Error { var got: Int }
}

/// A TCP server whose connections are served by a closure each.
final class TestServer: Sendable {
  let port: Int
  private let listener: any Channel
  private let connections = NIOLockedValueBox<[(any Channel, Task<Void, Never>)]>([])

  init(
    host: String, group: any EventLoopGroup, limits: ConnectionLimits = .unconstrained,
    serve: @escaping @Sendable (TestSocket) async throws -> Void
  ) async throws {
    let connections = connections
    port = try freePort()
    listener = try await StreamSocket.listen(
      on: SocketAddress(ipAddress: host, port: port), eventLoop: group.next(), limits: limits
    ) { channel in
      do {
        let socket = try TestSocket(onLoop: channel)
        let task = Task {
          do { try await serve(socket) } catch { socket.reset() }
        }
        connections.withLockedValue { $0.append((channel, task)) }
      } catch {
        channel.close(promise: nil)
      }
    }.get()
  }

  /// Stops listening, closes what is open, and waits for those who serve.
  func close() async {
    listener.close(promise: nil)
    for (channel, task) in connections.withLockedValue({ $0 }) {
      channel.close(promise: nil)
      await task.value
    }
  }
}

/// Serves a connection by sending back what comes, to the end.
@Sendable func echo(_ socket: TestSocket) async throws {
  while let bytes = try await socket.read() { try await socket.write(bytes) }
  try await socket.closeOutput()
}
