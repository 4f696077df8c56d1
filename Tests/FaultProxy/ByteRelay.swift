// A port-forward as it passes the proxy: bytes in both directions, read no faster than they can be passed on. Faults hold
// them, slow them down, or cut the connection.

internal import NIOCore
internal import NIOHTTP1

final class ByteRelay: Passage {
  let request: ProxiedRequest
  let isStream = true
  let clientEnd: RelayEnd
  private let serverEnd: RelayEnd
  private let switchboard: Switchboard
  private let client: any Channel
  private var isOver = false

  init(_ request: ProxiedRequest, client: any Channel, _ switchboard: Switchboard) {
    self.request = request
    self.client = client
    self.switchboard = switchboard
    clientEnd = RelayEnd()
    serverEnd = RelayEnd()
    clientEnd.relay = self
    serverEnd.relay = self
    clientEnd.peer = serverEnd
    serverEnd.peer = clientEnd
  }

  /// Connects to the server and sends the request. What the server answers is passed on as it is.
  func start(_ head: HTTPRequestHead) {
    switchboard.begin(self)
    let relay = NIOLoopBound(self, eventLoop: switchboard.loop)
    switchboard.upstream.connect(on: switchboard.loop) { pipeline in
      try pipeline.addHandler(relay.value.serverEnd)
    }.assumeIsolated().whenComplete { [self] result in
      guard case .success(let server) = result, !isOver else {
        if case .success(let server) = result { server.close(promise: nil) }
        return close()
      }
      let lines = ["\(head.method.rawValue) \(head.uri) HTTP/1.1"] + head.headers.map { "\($0.name): \($0.value)" }
      server.writeAndFlush(ByteBuffer(string: lines.joined(separator: "\r\n") + "\r\n\r\n"), promise: nil)
      for channel in [client, server] {
        // Reads are asked for one by one: nothing is read that cannot be passed on.
        channel.setOption(.autoRead, value: false).assumeIsolated().whenFailure { [self] _ in close() }
        channel.read()
      }
      reconsider()
    }
  }

  func close() {
    guard !isOver else { return }
    isOver = true
    switchboard.end(self)
    clientEnd.close()
    serverEnd.close()
    client.close(promise: nil)
  }

  func reconsider() {
    if switchboard.take(for: request, { $0 == .cut }) != nil { return close() }
    clientEnd.pump()
    serverEnd.pump()
  }

  /// Whether bytes are held now. `true` counts as an occurrence if some wait.
  fileprivate func holds(_ bytes: ByteBuffer) -> Bool {
    guard let holder = switchboard.holder(of: request) else { return false }
    if bytes.readableBytes > 0 { _ = holder.take(request) }
    return true
  }

  /// How long to wait after a number of bytes before more are read.
  fileprivate func pause(after count: Int) -> TimeAmount? {
    for injection in switchboard.faults(for: request) {
      guard case .limit(let rate) = injection.fault, injection.take(request) else { continue }
      return .nanoseconds(Int64(count) * 1_000_000_000 / Int64(max(rate, 1)))
    }
    return nil
  }
}

/// One of the two connections of a relay: reads, and passes on to its peer.
final class RelayEnd: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  fileprivate weak var relay: ByteRelay?
  fileprivate weak var peer: RelayEnd?
  private var context: ChannelHandlerContext?
  private var pending = ByteBuffer()
  private var isBusy = false
  private var hasEnded = false

  func handlerAdded(context: ChannelHandlerContext) { self.context = context }

  func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    pending.writeBuffer(&bytes)
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    context.fireChannelReadComplete()
    pump()
  }

  func channelInactive(context: ChannelHandlerContext) {
    hasEnded = true
    pump()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  fileprivate func close() { context?.close(promise: nil) }

  /// Passes on what was read, and reads more.
  fileprivate func pump() {
    guard let relay, !isBusy, let target = peer?.context, !relay.holds(pending) else { return }
    guard pending.readableBytes > 0 else {
      if hasEnded { relay.close() }
      return
    }
    let bytes = pending
    pending.clear()
    isBusy = true
    let pause = relay.pause(after: bytes.readableBytes)
    target.writeAndFlush(wrapOutboundOut(bytes)).assumeIsolated().whenComplete { [self] result in
      if case .failure = result { return relay.close() }
      guard let pause else { return resume() }
      target.eventLoop.assumeIsolated().scheduleTask(in: pause) { [self] in resume() }
    }
  }

  private func resume() {
    isBusy = false
    pump()
    if !isBusy, !hasEnded { context?.read() }
  }
}
