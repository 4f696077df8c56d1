import DevrunAgent
import DevrunCore
import DevrunPlan
import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import TestSupport
import Testing

@testable import DevrunTunnel
@testable import DevrunView

@Suite(.timeLimit(.minutes(2))) struct OutboundAcceptorTests {
  private static let address = IPAddress(127, 3, 4, 5)

  /// Runs a test with a tunnel and an acceptor on its event loop.
  private func withAcceptor(
    _ fixture: TunnelFixture, patience: OutboundAcceptor.Patience = OutboundAcceptor.Patience(),
    _ body: (OutboundAcceptor, Tunnel) async throws -> Void
  ) async throws {
    try await fixture.withTunnel { tunnel in
      let acceptor = OutboundAcceptor(on: tunnel.eventLoop, patience: patience)
      let result: Result<Void, any Error>
      do { result = .success(try await body(acceptor, tunnel)) } catch { result = .failure(error) }
      await acceptor.close()
      try result.get()
    }
  }

  /// What the launcher does with the child's socket: connects it, and tells its local endpoint.
  private func connect(_ fixture: TunnelFixture, to endpoint: IPEndpoint) async throws -> (TestSocket, IPEndpoint) {
    let socket = try await fixture.socket(
      to: SocketAddress(ipAddress: endpoint.address.description, port: Int(endpoint.port)))
    return (socket, try #require(socket.channel.localAddress.flatMap(IPEndpoint.init)))
  }

  @Test func `An announced outbound connection reaches its service`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await withAcceptor(fixture) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          #expect(await attempt.outcome() == .connected)
          let endpoint = try await attempt.acceptor()
          #expect(endpoint.address == Self.address)
          let (socket, local) = try await connect(fixture, to: endpoint)
          attempt.attach(local)
          try await socket.write("hello")
          try await socket.closeOutput()
          #expect(try await socket.readAll() == Array("hello".utf8))
        }
      }
    }
  }

  @Test func `A connection whose socket is bound to another address of this machine reaches its service`() async throws
  {
    let addresses = try MachineAddresses.read()
    guard let own = addresses.first(where: { $0.isIPv4 && !$0.isLoopback }) else {
      try Test.cancel("this machine has no address but the loopback interface's")
    }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await withAcceptor(fixture) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          let endpoint = try await attempt.acceptor()
          let channel: any Channel
          do {
            channel = try await ClientBootstrap(group: fixture.group.next())
              .channelOption(.autoRead, value: false)
              .channelOption(.allowRemoteHalfClosure, value: true)
              .connectTimeout(.seconds(5))
              .bind(to: SocketAddress(ipAddress: own.description, port: 0))
              .connect(to: SocketAddress(ipAddress: endpoint.address.description, port: Int(endpoint.port))).get()
          } catch ChannelError.connectTimeout {
            // The kernel answers for a listener; so this is none of the acceptor's doing.
            try Test.cancel(
              "this machine's firewall drops connections from \(own) to loopback addresses, as kube-proxy's does")
          }
          let socket = try await TestSocket(channel)
          let local = try #require(channel.localAddress.flatMap(IPEndpoint.init))
          #expect(local.address == own)
          attempt.attach(local)
          try await socket.write("hello")
          #expect(try await socket.read(exactly: 5) == Array("hello".utf8))
          socket.reset()
        }
      }
    }
  }

  @Test func `Bytes that the child sends before its connection is attached are not lost`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await withAcceptor(fixture) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "localhost", port: port, through: tunnel)
          let (socket, local) = try await connect(fixture, to: attempt.acceptor())
          try await socket.write("early")
          try await socket.closeOutput()
          // Time for the end to arrive at the acceptor, which must hold it: a dial takes a whole turn.
          #expect(await attempt.outcome() == .connected)
          attempt.attach(local)
          #expect(try await socket.readAll() == Array("early".utf8))
        }
      }
    }
  }

  @Test func `Connections to one address share a listener, and another address has its own`() async throws {
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await withAcceptor(fixture) { acceptor, tunnel in
          let other = IPAddress(127, 3, 4, 6)
          let first = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          let second = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          let third = acceptor.begin(at: other, host: "127.0.0.1", port: port, through: tunnel)
          let endpoints = (try await first.acceptor(), try await second.acceptor(), try await third.acceptor())
          #expect(endpoints.0 == endpoints.1)
          #expect(endpoints.2.address == other)
          for (attempt, endpoint) in [(second, endpoints.1), (third, endpoints.2), (first, endpoints.0)] {
            let (socket, local) = try await connect(fixture, to: endpoint)
            attempt.attach(local)
            try await socket.write("x")
            #expect(try await socket.read(exactly: 1) == Array("x".utf8))
            socket.reset()
          }
        }
      }
    }
  }

  @Test func `An outbound connection that nobody announces is reset`() async throws {
    var patience = OutboundAcceptor.Patience()
    patience.unannounced = .zero
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: echo) { port in
        try await withAcceptor(fixture, patience: patience) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          let endpoint = try await attempt.acceptor()
          let address = try SocketAddress(ipAddress: endpoint.address.description, port: Int(endpoint.port))
          let isReset = try await fixture.isReset(connectingTo: address)
          #expect(isReset)
        }
      }
    }
  }

  @Test func `A refused dial reports the errno of connect and resets the attached connection`() async throws {
    try await TunnelFixture.run { fixture in
      let port = try freePort()
      try await withAcceptor(fixture) { acceptor, tunnel in
        let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
        let (socket, local) = try await connect(fixture, to: attempt.acceptor())
        attempt.attach(local)
        #expect(await attempt.outcome() == .failed(Errno(rawValue: ECONNREFUSED)))
        #expect(await socket.isReset())
      }
    }
  }

  @Test func `A cancelled outbound attempt resets the connection to the service`() async throws {
    let (ends, report) = AsyncStream.makeStream(of: Bool.self)
    let service: @Sendable (TestSocket) async throws -> Void = { report.yield(await $0.isReset()) }
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: service) { port in
        try await withAcceptor(fixture) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          #expect(await attempt.outcome() == .connected)
          attempt.cancel()
          #expect(await ends.first { _ in true } == true)
        }
      }
    }
  }

  @Test func `The dial of an announced connection is given up if the connection never comes`() async throws {
    let (ends, report) = AsyncStream.makeStream(of: Bool.self)
    let service: @Sendable (TestSocket) async throws -> Void = { report.yield(await $0.isReset()) }
    var patience = OutboundAcceptor.Patience()
    patience.missing = .zero
    try await TunnelFixture.run { fixture in
      try await fixture.withServer(serve: service) { port in
        try await withAcceptor(fixture, patience: patience) { acceptor, tunnel in
          let attempt = acceptor.begin(at: Self.address, host: "127.0.0.1", port: port, through: tunnel)
          #expect(await attempt.outcome() == .connected)
          attempt.attach(IPEndpoint(IPAddress(127, 0, 0, 1), port: 1))
          #expect(await ends.first { _ in true } == true)
        }
      }
    }
  }

  @Test func `A listener is refused on an address other than loopback and after the acceptor's end`() async throws {
    try await TunnelFixture.run { fixture in
      try await withAcceptor(fixture) { acceptor, tunnel in
        let open = acceptor.begin(at: IPAddress(0, 0, 0, 0), host: "127.0.0.1", port: 9, through: tunnel)
        await #expect(throws: OutboundAcceptorError.notLoopback(IPAddress(0, 0, 0, 0))) { try await open.acceptor() }
        await acceptor.close()
        let late = acceptor.begin(at: Self.address, host: "127.0.0.1", port: 9, through: tunnel)
        await #expect(throws: DialError.tunnelClosed) { try await late.acceptor() }
      }
    }
  }
}
