import DevrunAgent
import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct BackpressureTests {
  /// Writes until the peer takes no more: until it has taken nothing while another connection had many turns.
  ///
  /// - Parameter other: a connection through the same tunnel to a service that echoes.
  /// - Returns: how many bytes it took.
  private static func push(into socket: TestSocket, limit: Int, beside other: TestSocket) async throws -> Int {
    let piece = [UInt8](repeating: 0x5a, count: 32 << 10)
    let pushed = NIOLockedValueBox(0)
    let writing = Task {
      while pushed.withLockedValue({ $0 }) < limit {
        try await socket.write(piece)
        pushed.withLockedValue { $0 += piece.count }
      }
    }
    var last = -1
    var still = 0
    while still < 40 {
      try await other.write("passing by")
      #expect(try await other.read(exactly: 10) == Array("passing by".utf8))
      let now = pushed.withLockedValue { $0 }
      still = now == last ? still + 1 : 0
      last = now
    }
    // Ends the write that does not come to an end, with an error that says so.
    socket.channel.close(promise: nil)
    _ = await writing.result
    return last
  }

  @Test func `A service that does not read stops only its own client`() async throws {
    let (released, release) = AsyncStream.makeStream(of: Void.self)
    let stalled: @Sendable (TestSocket) async throws -> Void = { _ in await released.first { _ in true } }
    let limit = 64 << 20
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: stalled) { stalledPort in
        try await fixture.withServer(serve: echo) { echoPort in
          try await fixture.withTunnel { tunnel in
            let other = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: echoPort))
            let stuck = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: stalledPort))
            let pushed = try await Self.push(into: stuck, limit: limit, beside: other)
            // Windows, buffers of both processes and of the kernel; far from all that there was to send.
            #expect(pushed < 16 << 20)
          }
          release.finish()
        }
      }
    }
  }

  @Test func `A client that does not read stops the service and can read everything later`() async throws {
    let total = 24 << 20
    let sent = NIOLockedValueBox(0)
    let flooding: @Sendable (TestSocket) async throws -> Void = { socket in
      let piece = [UInt8](repeating: 0xa5, count: 64 << 10)
      while sent.withLockedValue({ $0 }) < total {
        try await socket.write(piece)
        sent.withLockedValue { $0 += piece.count }
      }
      try await socket.closeOutput()
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: flooding) { port in
        try await fixture.withServer(serve: echo) { echoPort in
          try await fixture.withTunnel { tunnel in
            let idle = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
            for _ in 0..<50 {
              let other = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: echoPort))
              try await other.write("passing by")
              #expect(try await other.read(exactly: 10) == Array("passing by".utf8))
              other.reset()
            }
            #expect(sent.withLockedValue { $0 } < total)
            var received = 0
            while let bytes = try await idle.read() { received += bytes.count }
            #expect(received == total)
          }
        }
      }
    }
  }

  @Test(arguments: [(8 << 20, 16 << 10, 512), (32 << 20, 16 << 10, 2048), (512 << 20, 256 << 10, 10_000)])
  func `An agent's connection limits depend on its memory`(memory: Int, window: Int, streams: Int) {
    let limits = ConnectionLimits.fitting(memory: memory)
    #expect(limits.baseWindow == window)
    #expect(limits.maximumStreams == streams)
    #expect(limits.windowPool <= memory / 4)
  }
}
