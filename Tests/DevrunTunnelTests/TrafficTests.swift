import NIOCore
import Testing

@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct TrafficTests {
  @Test func `Connections in both directions are counted with at least the bytes that they carried`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        let target = try #require(fixture.targets.first)
        try await fixture.withTunnel(localPorts: [target.port ?? 0: port]) { tunnel in
          let before = tunnel.traffic
          #expect(before.outboundConnections == 0 && before.inboundConnections == 0)
          let sent = [UInt8](repeating: 1, count: 10_000)
          let outward = try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))
          try await outward.write(sent)
          try await outward.closeOutput()
          #expect(try await outward.readAll() == sent)
          let middle = tunnel.traffic
          #expect(middle.outboundConnections == 1 && middle.inboundConnections == 0)
          #expect(
            middle.bytesSent >= before.bytesSent + 10_000 && middle.bytesReceived >= before.bytesReceived + 10_000)

          let inward = try await fixture.socket(to: target)
          try await inward.write(sent)
          try await inward.closeOutput()
          #expect(try await inward.readAll() == sent)
          let after = tunnel.traffic
          #expect(after.outboundConnections == 1 && after.inboundConnections == 1)
          #expect(after.bytesSent >= middle.bytesSent + 10_000 && after.bytesReceived >= middle.bytesReceived + 10_000)
        }
      }
    }
  }

  @Test func `The traffic of several tunnels is added up`() {
    var one = Traffic()
    one.outboundConnections = 1
    one.bytesSent = 10
    var two = Traffic()
    two.inboundConnections = 2
    two.bytesReceived = 20
    var sum = one
    sum.inboundConnections = 2
    sum.bytesReceived = 20
    #expect(one + two == sum)
  }
}
