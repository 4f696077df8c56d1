import DevrunConfig
import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunSession

@Suite("Listeners for ports of the pods' localhost", .timeLimit(.minutes(1)))
struct PodPortListenerTests {
  private func withLoop(_ body: (any EventLoop) async throws -> Void) async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let result: Result<Void, any Error>
    do { result = .success(try await body(group.next())) } catch { result = .failure(error) }
    try await group.shutdownGracefully()
    try result.get()
  }

  /// A server on a port of localhost that the kernel chooses.
  private func server(on loop: any EventLoop) async throws -> (any Channel, UInt16) {
    let channel = try await ServerBootstrap(group: loop).bind(host: "127.0.0.1", port: 0).get()
    return (channel, try #require(channel.localAddress?.port.flatMap { UInt16($0) }))
  }

  @Test func `A local port that is taken is an error that names it, and no other port stays taken`() async throws {
    try await withLoop { loop in
      let port = UInt16(try freePort())
      let (taken, other) = try await server(on: loop)
      await #expect(throws: SessionError.podPortTaken(local: other, remote: 3501, Errno(rawValue: EADDRINUSE))) {
        try await PodPortListener(
          [PortMapping(remote: 3500, local: port), PortMapping(remote: 3501, local: other)], on: loop)
      }
      let again = try await PodPortListener([PortMapping(remote: 3500, local: port)], on: loop)
      try await again.close()
      try await taken.close()
    }
  }

  @Test func `A connection comes with the port of the pod, and none comes once the listener is closed`() async throws {
    try await withLoop { loop in
      let port = UInt16(try freePort())
      let listener = try await PodPortListener([PortMapping(remote: 3500, local: port)], on: loop)
      let client = try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: Int(port)).get()
      for await connection in listener.connections {
        #expect(connection.port == 3500)
        #expect(connection.channel.remoteAddress == client.localAddress)
        try await connection.channel.close()
        break
      }
      try await client.closeFuture.get()
      try await listener.close()
      await #expect(throws: (any Error).self) {
        try await ClientBootstrap(group: loop).connect(host: "127.0.0.1", port: Int(port)).get()
      }
    }
  }
}
