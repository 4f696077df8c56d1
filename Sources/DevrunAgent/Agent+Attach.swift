internal import DevrunTunnel
internal import NIOCore
internal import NIOHTTP2

extension Agent {
  /// Takes a connection that showed the secret. On the event loop.
  func attach(_ preface: Preface, _ channel: any Channel) throws {
    let name = preface.attachment
    let requests = requests
    let pool = pool
    let multiplexer = try HTTP2Pipeline.add(
      to: channel, mode: preface.role == .outbound ? .server : .client, limits: limits, keepalive: Keepalive()
    ) { stream in
      try StreamServer.accept(stream, pool: pool) { requests.serve($0, on: $1) }
    }
    let end = ConnectionEndHandler { [weak self, weak channel] error in
      guard let self, let channel else { return }
      detach(name, channel, error: error)
    }
    try channel.pipeline.syncOperations.addHandler(end)
    let replaced: (any Channel)?
    switch preface.role {
    case .outbound: replaced = state.value.attachments.add(outbound: channel, to: name)
    case .inbound:
      let inbound = Inbound(
        channel: channel, streams: StreamOpener(connection: channel, multiplexer: multiplexer, pool: pool))
      replaced = state.value.attachments.add(inbound: inbound, to: name)?.channel
    }
    replaced?.close(promise: nil)
    updateReadiness()
  }

  /// A connection has ended, and with it its tunnel, unless it had been replaced.
  private func detach(_ name: [UInt8], _ channel: any Channel, error: (any Error)?) {
    let remains = state.value.attachments.remove(name) { $0.outbound === channel || $0.inbound?.channel === channel }
    guard let remains else { return }
    log("a tunnel has ended\(error.map { ": \($0)" } ?? "")")
    remains.outbound?.close(promise: nil)
    remains.inbound?.channel.close(promise: nil)
    updateReadiness()
  }

  private func updateReadiness() {
    let isReady = state.value.attachments.current != nil
    guard isReady != state.value.isReady else { return }
    state.value.isReady = isReady
    log(isReady ? "devrun is attached" : "no devrun is attached")
    readyFile.set(isReady)
    readyPort.set(isReady)
    if isReady { serveHeld() } else { state.value.detached?.succeed() }
  }

  /// A connection of the cluster came to one of the app's ports. On the event loop, nothing read yet.
  ///
  /// While no tunnel is attached it waits for one: a peer is not to see an error because devrun's port-forward broke, or
  /// has not been made yet.
  func accept(_ connection: any Channel, port: Int) {
    let inbound = state.value.attachments.current
    guard state.value.accepted.current < limits.maximumStreams, inbound != nil || state.value.held.count < maximumHeld
    else { return connection.triggerUserOutboundEvent(StreamReset(), promise: nil) }
    state.value.connections.add(connection)
    state.value.accepted.add(connection)
    if let inbound { return forward(connection, port: port, to: inbound) }
    let deadline = eventLoop.scheduleTask(in: holding) { [self] in
      state.value.held.removeAll { $0.channel === connection }
      connection.triggerUserOutboundEvent(StreamReset(), promise: nil)
    }
    state.value.held.append(HeldConnection(channel: connection, port: port, deadline: deadline))
    connection.closeFuture.whenComplete { [state] _ in
      deadline.cancel()
      state.value.held.removeAll { $0.channel === connection }
    }
  }

  private func serveHeld() {
    guard let inbound = state.value.attachments.current else { return }
    let held = state.value.held
    state.value.held = []
    for connection in held {
      connection.deadline.cancel()
      forward(connection.channel, port: connection.port, to: inbound)
    }
  }

  private func forward(_ connection: any Channel, port: Int, to inbound: Inbound) {
    let request = StreamRequest.connect(Authority(host: "localhost", port: port))
    inbound.streams.open(request, timeout: Self.inboundDialTimeout).join(connection)
  }
}

/// A connection to one of the app's ports that waits for a tunnel.
struct HeldConnection {
  let channel: any Channel
  let port: Int
  let deadline: Scheduled<Void>
}
