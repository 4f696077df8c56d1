import Foundation
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunAgent
@testable import DevrunTunnel

@Suite(.timeLimit(.minutes(2))) struct InboundTests {
  /// The address of a target port for IPv4, whose listener stands on all addresses.
  private func cluster(_ fixture: TunnelFixture, _ index: Int = 0, host: String = "127.0.0.1") throws -> SocketAddress {
    try SocketAddress(ipAddress: host, port: #require(fixture.targets[index].port))
  }

  private func targetPort(_ fixture: TunnelFixture, _ index: Int = 0) throws -> Int {
    try #require(fixture.targets[index].port)
  }

  @Test(arguments: ["127.0.0.1", "0.0.0.0"])
  func `A connection to the target's port reaches the app at any local address`(host: String) async throws {
    try await reach(appAt: host)
  }

  @Test(.enabled(if: hasIPv6Loopback(), "this machine has no ::1"))
  func `A connection to the target's port reaches an app that listens on IPv6 alone`() async throws {
    try await reach(appAt: "::1")
  }

  private func reach(appAt host: String) async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(host: host, serve: echo) { port in
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
          let socket = try await fixture.socket(to: cluster(fixture))
          try await socket.write("from the cluster")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array("from the cluster".utf8))
        }
      }
    }
  }

  @Test(.enabled(if: hasIPv6Loopback(), "this machine has no ::1")) func `The target's port is reachable over IPv6`()
    async throws
  {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
          let socket = try await fixture.socket(to: cluster(fixture, host: "::1"))
          try await socket.write("six")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array("six".utf8))
        }
      }
    }
  }

  @Test func `Each target port leads to its own local port`() async throws {
    let first: @Sendable (TestSocket) async throws -> Void = {
      try await $0.write("first")
      try await $0.closeOutput()
    }
    let second: @Sendable (TestSocket) async throws -> Void = {
      try await $0.write("second")
      try await $0.closeOutput()
    }
    try await TunnelFixture.run(targets: 2) { fixture in
      try await fixture.withServer(serve: first) { firstPort in
        try await fixture.withServer(serve: second) { secondPort in
          let ports = [try targetPort(fixture, 0): firstPort, try targetPort(fixture, 1): secondPort]
          try await fixture.withTunnel(localPorts: ports) { _ in
            let first = try await fixture.socket(to: cluster(fixture, 0)).readAll()
            let second = try await fixture.socket(to: cluster(fixture, 1)).readAll()
            #expect(first == Array("first".utf8))
            #expect(second == Array("second".utf8))
          }
        }
      }
    }
  }

  @Test func `A peer is reset while no local app listens and served as soon as one does`() async throws {
    try await TunnelFixture.run { fixture in
      let port = try freePort()
      try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
        for _ in 0..<300 {
          let isReset = try await fixture.isReset(connectingTo: cluster(fixture))
          #expect(isReset)
        }
        let listener = try await StreamSocket.listen(
          on: SocketAddress(ipAddress: "127.0.0.1", port: port), eventLoop: fixture.group.next(),
          limits: .unconstrained
        ) { channel in
          channel.writeAndFlush(ByteBuffer(string: "now"), promise: nil)
          channel.close(mode: .output, promise: nil)
        }.get()
        #expect(try await fixture.socket(to: cluster(fixture)).readAll() == Array("now".utf8))
        try await listener.close()
      }
    }
  }

  @Test func `A peer in the cluster is reset if no tunnel comes in time`() async throws {
    try await TunnelFixture.run(holdingSeconds: 0) { fixture in
      let isReset = try await fixture.isReset(connectingTo: cluster(fixture))
      #expect(isReset)
    }
  }

  @Test func `Peers that come before the tunnel, and between two, are served once it is there`() async throws {
    try await TunnelFixture.run(holdingSeconds: 60) { fixture in
      try await fixture.withServer(serve: echo) { port in
        for _ in 0..<2 {
          var sockets: [TestSocket] = []
          for _ in 0..<20 {
            let socket = try await fixture.socket(to: cluster(fixture))
            try await socket.write("held")
            try await socket.closeOutput()
            sockets.append(socket)
          }
          try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
            for socket in sockets {
              let answer = try await socket.readAll()
              #expect(answer == Array("held".utf8))
            }
          }
        }
      }
    }
  }

  @Test func `Peers that wait for a tunnel are bounded by what the kernel holds of them`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        let limits = ConnectionLimits.fitting(memory: 32 << 20)
        let limit = Agent.maximumHeld(memory: 32 << 20, limits: limits)
        #expect(limit * 2 * limits.socketBuffer <= 4 << 20 && limit < limits.maximumStreams)
        let address = try cluster(fixture)
        var held: [TestSocket] = []
        for _ in 0..<limit { held.append(try await fixture.socket(to: address)) }
        // They are accepted in the order in which they connected.
        for _ in 0..<3 {
          let isReset = try await fixture.isReset(connectingTo: address)
          #expect(isReset)
        }
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
          for socket in held {
            try await socket.write("held")
            try await socket.closeOutput()
            let answer = try await socket.readAll()
            #expect(answer == Array("held".utf8))
          }
        }
      }
    }
  }

  @Test func `The smallest container holds a few peers`() {
    #expect(Agent.maximumHeld(memory: 1 << 20, limits: .fitting(memory: 1 << 20)) == 16)
  }

  @Test func `Connections into the cluster take no place from those of the cluster`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { tunnel in
          let limit = ConnectionLimits.fitting(memory: 32 << 20).maximumStreams
          var outgoing: [TestSocket] = []
          for _ in 0..<limit { outgoing.append(try await TestSocket(tunnel.dial(host: "127.0.0.1", port: port))) }
          let socket = try await fixture.socket(to: cluster(fixture))
          try await socket.write("from the cluster")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array("from the cluster".utf8))
          for socket in outgoing { socket.reset() }
        }
      }
    }
  }

  @Test func `A connection to a port that is not redirected is reset`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withTunnel(localPorts: [:]) { _ in
        let isReset = try await fixture.isReset(connectingTo: cluster(fixture))
        #expect(isReset)
      }
    }
  }

  @Test func `A reset at either end of an inbound connection resets the other end`() async throws {
    let (ends, report) = AsyncStream.makeStream(of: Bool.self)
    let local: @Sendable (TestSocket) async throws -> Void = { socket in
      let order = try await socket.read(exactly: 1)
      try await socket.write(order)
      if order == [1] { report.yield(await socket.isReset()) } else { socket.reset() }
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: local) { port in
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
          let breaking = try await fixture.socket(to: cluster(fixture))
          try await breaking.write([1])
          #expect(try await breaking.read(exactly: 1) == [1])
          breaking.reset()
          #expect(await ends.first { _ in true } == true)
          let broken = try await fixture.socket(to: cluster(fixture))
          try await broken.write([2])
          #expect(await broken.isReset())
        }
      }
    }
  }

  @Test func `A thousand inbound requests by fifty clients are all answered`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await fixture.withTunnel(localPorts: [targetPort(fixture): port]) { _ in
          let address = try cluster(fixture)
          try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<50 {
              group.addTask {
                for request in 0..<20 {
                  let socket = try await fixture.socket(to: address)
                  let text = "client \(client) request \(request)"
                  try await socket.write(text)
                  try await socket.closeOutput()
                  #expect(try await socket.readAll() == Array(text.utf8))
                }
              }
            }
            try await group.waitForAll()
          }
        }
      }
    }
  }
}

/// Whether this machine's loopback speaks IPv6.
func hasIPv6Loopback() -> Bool {
  let addresses = (try? String(contentsOfFile: "/proc/net/if_inet6", encoding: .utf8)) ?? ""
  return addresses.contains("00000000000000000000000000000001 ")
}
