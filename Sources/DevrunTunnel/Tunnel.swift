// The tunnel to one agent.
//
// Two port-forwards to the agent's control port, each opened by devrun and begun with a preface. On the outbound one
// devrun is the HTTP/2 client and opens a stream for every connection of the child to the cluster, and for every
// question to the agent. On the inbound one the roles are reversed: the agent opens a stream for every connection that
// the target's ports accept in the cluster, and devrun dials the local port. When either ends, the tunnel is over.

public import NIOCore

/// A tunnel to one agent. Everything of it happens on one event loop, which `connect` is given.
public final class Tunnel: Sendable {
  /// Opens one more port-forward to the agent's control port.
  ///
  /// The channel's reads and writes are `ByteBuffer`s, and it must be on the tunnel's event loop. The hook must be
  /// called once, on the event loop, before anything is read from the channel; reading may be off when the channel is
  /// returned.
  public typealias Open =
    @Sendable (_ configure: @escaping @Sendable (any Channel) throws -> Void) async throws
    -> any Channel

  /// How a tunnel behaves.
  public struct Options: Sendable {
    /// What this end is ready to hold.
    public var limits: ConnectionLimits = .unconstrained
    /// How long the agent's answer to a preface may take.
    public var handshakeTimeout: TimeAmount = .seconds(15)
    /// How long the agent may take to answer a dial; its own limit is shorter.
    public var dialTimeout: TimeAmount = .seconds(45)
    /// A connection on which nothing came for so long is asked whether it lives.
    public var keepaliveInterval: TimeAmount = .seconds(10)
    /// A connection that does not answer for so long is dead.
    public var keepaliveTimeout: TimeAmount = .seconds(20)

    var keepalive: Keepalive { Keepalive(interval: keepaliveInterval, timeout: keepaliveTimeout) }

    /// The options that suit a developer's machine.
    public init() {}
  }

  /// The event loop of everything in the tunnel.
  public let eventLoop: any EventLoop

  /// Completes when the tunnel is over: succeeds after `close()`, fails with a `TunnelError` that says what broke it.
  public let closed: EventLoopFuture<Void>

  let options: Options
  let streams: StreamOpener
  let counter: TrafficCounter
  private let channels: [any Channel]
  private let end: EventLoopPromise<Void>

  private init(
    on eventLoop: any EventLoop, options: Options, outbound: Connection, inbound: Connection, counter: TrafficCounter,
    end: EventLoopPromise<Void>
  ) {
    self.eventLoop = eventLoop
    self.options = options
    self.streams = StreamOpener(
      connection: outbound.channel, multiplexer: outbound.multiplexer, pool: WindowPool(options.limits, on: eventLoop))
    self.counter = counter
    self.channels = [outbound.channel, inbound.channel]
    self.end = end
    self.closed = end.futureResult
    let channels = self.channels
    closed.whenComplete { _ in for channel in channels { channel.close(promise: nil) } }
  }

  /// What has gone through the tunnel so far.
  public var traffic: Traffic { counter.traffic }

  /// Makes a tunnel: opens two port-forwards and shows the secret on each.
  ///
  /// - Parameters:
  ///   - secret: the session's secret, `Preface.secretLength` bytes.
  ///   - inbound: where the cluster's connections go on this machine.
  ///   - eventLoop: the event loop of everything in the tunnel.
  ///   - open: opens a port-forward; called twice, at the same time.
  /// - Throws: a `TunnelError`, or what `open` throws.
  public static func connect(
    secret: [UInt8], inbound: InboundDialer, options: Options = Options(), on eventLoop: any EventLoop,
    open: @escaping Open
  ) async throws -> Tunnel {
    var random = SystemRandomNumberGenerator()
    let attachment = (0..<Preface.attachmentLength).map { _ in UInt8.random(in: .min ... .max, using: &random) }
    let end = eventLoop.makePromise(of: Void.self)
    let counter = TrafficCounter()
    let onEnd: @Sendable ((any Error)?) -> Void = { error in
      end.fail(error as? TunnelError ?? .lost(error.map(describe) ?? "the port-forward was closed"))
    }
    @Sendable func connection(_ role: ConnectionRole) async -> Result<Connection, any Error> {
      do {
        return .success(
          try await openConnection(
            role, attachment: attachment, secret: secret, inbound: inbound, traffic: counter, options: options,
            on: eventLoop, open: open, onEnd: onEnd))
      } catch {
        return .failure(error)
      }
    }
    async let outboundResult = connection(.outbound)
    async let inboundResult = connection(.inbound)
    let results = await (outboundResult, inboundResult)
    do {
      return Tunnel(
        on: eventLoop, options: options, outbound: try results.0.get(), inbound: try results.1.get(),
        counter: counter, end: end)
    } catch {
      end.fail(error)
      for case .success(let connection) in [results.0, results.1] { connection.channel.close(promise: nil) }
      throw error
    }
  }

  /// Ends the tunnel: every stream is reset. Returns when both port-forwards are closed.
  public func close() async {
    end.succeed()
    for channel in channels {
      await withCheckedContinuation { closed in channel.closeFuture.whenComplete { _ in closed.resume() } }
    }
  }

  private static func describe(_ error: any Error) -> String {
    error is KeepaliveTimeout ? "it does not answer any more" : reason(of: error)
  }
}
