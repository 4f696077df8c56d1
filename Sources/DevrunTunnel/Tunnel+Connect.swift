internal import NIOCore
internal import NIOHTTP2

extension Tunnel {
  /// One connection of a tunnel that is being made.
  struct Connection: Sendable {
    let channel: any Channel
    let multiplexer: NIOHTTP2Handler.StreamMultiplexer
  }

  /// Opens one port-forward and brings it to where streams can be opened.
  ///
  /// - Parameter onEnd: called on the event loop when the connection has ended after that.
  static func openConnection(
    _ role: ConnectionRole, attachment: [UInt8], secret: [UInt8], inbound: InboundDialer,
    traffic: TrafficCounter, options: Options, on loop: any EventLoop, open: Open,
    onEnd: @escaping @Sendable ((any Error)?) -> Void
  ) async throws -> Connection {
    let result = loop.makePromise(of: Void.self)
    let multiplexer = loop.makePromise(of: NIOHTTP2Handler.StreamMultiplexer.self)
    let preface = Preface(role: role, attachment: attachment, secret: secret)
    let sockets = SocketDialer(on: loop, limits: options.limits)
    let pool = WindowPool(options.limits, on: loop)
    let accept: @Sendable (any Channel) throws -> Void = { stream in
      try StreamServer.accept(stream, pool: pool) { request, stream in
        guard role == .inbound, case .connect(let authority) = request else {
          return StreamServer.refuse("devrun serves connections to the target's ports only", status: "403", on: stream)
        }
        traffic.countInboundConnection()
        StreamServer.join(stream, to: inbound.dial(authority, with: sockets))
      }
    }
    result.futureResult.whenFailure { multiplexer.fail($0) }
    let channel: any Channel
    do {
      channel = try await open { channel in
        guard channel.eventLoop === loop else {
          throw TunnelError.noAgent("the port-forward is on another event loop than the tunnel")
        }
        let handler = PrefaceClientHandler(preface, result: result) { channel in
          let added = try HTTP2Pipeline.add(
            to: channel, mode: role == .outbound ? .client : .server, limits: options.limits,
            keepalive: options.keepalive, accept: accept)
          try channel.pipeline.syncOperations.addHandler(ConnectionEndHandler(onEnd: onEnd))
          multiplexer.succeed(added)
        }
        try channel.pipeline.syncOperations.addHandlers(TrafficHandler(traffic), handler)
      }
    } catch {
      result.fail(error)
      throw error
    }
    let deadline = loop.scheduleTask(in: options.handshakeTimeout) {
      result.fail(TunnelError.timedOut)
      channel.close(promise: nil)
    }
    defer { deadline.cancel() }
    do {
      try await channel.setOption(.autoRead, value: true).get()
      channel.read()
      try await result.futureResult.get()
      return Connection(channel: channel, multiplexer: try await multiplexer.futureResult.get())
    } catch {
      channel.close(promise: nil)
      // What the agent said comes before what became of the channel after it.
      result.fail(error)
      try await result.futureResult.get()
      throw error
    }
  }
}
