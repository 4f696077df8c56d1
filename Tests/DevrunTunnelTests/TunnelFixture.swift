import DevrunAgent
import DevrunSystem
import Glibc
import NIOCore
import NIOPosix
import Testing

@testable import DevrunTunnel

/// An agent in this process and tunnels to it over loopback TCP, closed again in reverse order.
final class TunnelFixture: Sendable {
  static let secret = (0..<32).map { UInt8(truncatingIfNeeded: $0 &* 7) }

  let group: MultiThreadedEventLoopGroup
  let agent: Agent
  let control: SocketAddress
  let targets: [SocketAddress]

  /// Starts an agent with so many target ports, chosen by the kernel.
  private init(
    group: MultiThreadedEventLoopGroup, targets: Int, memory: Int, readyFile: String?, environmentFile: String?,
    probePort: Int?, readyPort: Int?, holdingSeconds: Int64
  ) async throws {
    self.group = group
    var configuration = AgentConfiguration(
      controlPort: 0, ports: Array(repeating: 0, count: targets),
      secretDigest: SecretDigest(of: Self.secret).hexadecimal, readyFile: readyFile, probePort: probePort,
      readyPort: readyPort)
    configuration.holdingSeconds = holdingSeconds
    if let environmentFile { configuration.environmentFile = environmentFile }
    agent = try await Agent.start(configuration, memory: memory, log: AgentLog { _ in }, on: group.next()).get()
    let addresses = try await agent.addresses().get()
    control = try #require(addresses.control)
    self.targets = addresses.targets
  }

  /// Runs a test with an agent.
  static func run<Result>(
    targets: Int = 1, memory: Int = 32 << 20, readyFile: String? = nil, environmentFile: String? = nil,
    probePort: Int? = nil, readyPort: Int? = nil, holdingSeconds: Int64 = 10,
    _ body: (TunnelFixture) async throws -> Result
  ) async throws -> Result {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
    let fixture = try await TunnelFixture(
      group: group, targets: targets, memory: memory, readyFile: readyFile, environmentFile: environmentFile,
      probePort: probePort, readyPort: readyPort, holdingSeconds: holdingSeconds)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(fixture)) } catch { result = .failure(error) }
    try await fixture.agent.close().get()
    try await group.shutdownGracefully()
    return try result.get()
  }

  /// Opens a tunnel for the duration of `body`.
  ///
  /// - Parameters:
  ///   - localPorts: the local port of each target port.
  ///   - via: another address than the agent's, such as a proxy's.
  func withTunnel<Result>(
    localPorts: [Int: Int] = [:], options: Tunnel.Options = Tunnel.Options(), secret: [UInt8] = TunnelFixture.secret,
    via address: SocketAddress? = nil, _ body: (Tunnel) async throws -> Result
  ) async throws -> Result {
    let tunnel = try await connect(localPorts: localPorts, options: options, secret: secret, via: address)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(tunnel)) } catch { result = .failure(error) }
    await tunnel.close()
    return try result.get()
  }

  /// Opens a tunnel that the test closes.
  func connect(
    localPorts: [Int: Int] = [:], options: Tunnel.Options = Tunnel.Options(), secret: [UInt8] = TunnelFixture.secret,
    via address: SocketAddress? = nil
  ) async throws -> Tunnel {
    let loop = group.next()
    let address = address ?? control
    return try await Tunnel.connect(
      secret: secret, inbound: InboundDialer(localPorts: localPorts), options: options, on: loop
    ) { configure in
      try await ClientBootstrap(group: loop)
        .channelOption(.autoRead, value: false)
        .connect(to: address) { channel in
          channel.eventLoop.makeCompletedFuture {
            try configure(channel)
            return channel
          }
        }
    }
  }

  /// A plain TCP server on loopback for the duration of `body`. Each connection is served by `serve`.
  func withServer<Result>(
    host: String = "127.0.0.1", serve: @escaping @Sendable (TestSocket) async throws -> Void,
    _ body: (_ port: Int) async throws -> Result
  ) async throws -> Result {
    let server = try await TestServer(host: host, group: group, serve: serve)
    let result: Swift.Result<Result, any Error>
    do { result = .success(try await body(server.port)) } catch { result = .failure(error) }
    await server.close()
    return try result.get()
  }

  /// A TCP connection to an address.
  func socket(to address: SocketAddress) async throws -> TestSocket {
    let dialer = SocketDialer(on: group.next(), limits: .unconstrained)
    return try await dialer.connect(to: [address]).flatMapThrowing { try TestSocket(onLoop: $0.get()) }.get()
  }

  /// Connects to an address and waits for the end of the connection, which is made in any case.
  ///
  /// - Returns: whether it ended by a reset.
  func isReset(connectingTo address: SocketAddress) async throws -> Bool {
    do {
      return try await socket(to: address).isReset()
    } catch ChannelError.ioOnClosedChannel, DialFailure.connect(.connectionReset) {
      // The reset came before this end was ready to read.
      return true
    }
  }
}
