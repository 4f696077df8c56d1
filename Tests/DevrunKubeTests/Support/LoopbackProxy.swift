import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// A proxy on loopback, for HTTP `CONNECT` or SOCKS 5, that remembers what it was asked for.
final class LoopbackProxy: Sendable {
  enum Kind: Sendable {
    case http(requiredAuthorization: String?)
    case socks
    /// Answers every `CONNECT` with this status line's end.
    case refusing(String)
  }

  let port: Int
  private let channel: any Channel
  private let asked: NIOLockedValueBox<[String]>

  /// The targets that were asked for, as `host:port`.
  var targets: [String] { asked.withLockedValue { $0 } }

  static func start(_ kind: Kind, tls: TLSConfiguration? = nil) async throws -> LoopbackProxy {
    let asked = NIOLockedValueBox<[String]>([])
    let channel = try await listenOnLoopback(tls: tls) { pipeline in
      try pipeline.addHandler(ProxyHandler(kind) { target in asked.withLockedValue { $0.append(target) } })
    }
    return LoopbackProxy(channel: channel, asked: asked)
  }

  private init(channel: any Channel, asked: NIOLockedValueBox<[String]>) {
    self.channel = channel
    self.asked = asked
    port = channel.localAddress?.port ?? 0
  }

  func stop() async throws { try await channel.close() }
}

private final class ProxyHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private enum State {
    case http
    case socksGreeting
    case socksRequest
    case connecting
    case relaying(any Channel)
  }

  private let kind: LoopbackProxy.Kind
  private let note: (String) -> Void
  private var state: State
  private var received = ByteBuffer()

  init(_ kind: LoopbackProxy.Kind, note: @escaping (String) -> Void) {
    self.kind = kind
    self.note = note
    if case .socks = kind { state = .socksGreeting } else { state = .http }
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    var bytes = unwrapInboundIn(data)
    if case .relaying(let peer) = state {
      peer.writeAndFlush(bytes, promise: nil)
      return
    }
    received.writeBuffer(&bytes)
    switch state {
    case .http: readConnect(context)
    case .socksGreeting:
      received.clear()
      state = .socksRequest
      context.writeAndFlush(NIOAny(ByteBuffer(bytes: [5, 0])), promise: nil)
    case .socksRequest: readSOCKS(context)
    case .connecting, .relaying: break
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    if case .relaying(let peer) = state { peer.close(promise: nil) }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func readConnect(_ context: ChannelHandlerContext) {
    let head = String(buffer: received)
    guard head.hasSuffix("\r\n\r\n") else { return }
    received.clear()
    let lines = head.split(separator: "\r\n")
    let target = String(lines[0].split(separator: " ")[1])
    func refuse(_ status: String) {
      context.writeAndFlush(NIOAny(ByteBuffer(string: "HTTP/1.1 \(status)\r\nContent-Length: 0\r\n\r\n")), promise: nil)
    }
    switch kind {
    case .refusing(let status): return refuse(status)
    case .http(let required?)
    where !lines.contains { $0.lowercased() == "proxy-authorization: \(required)".lowercased() }:
      return refuse("407 Proxy Authentication Required")
    case .http, .socks: break
    }
    connect(target, context, reply: ByteBuffer(string: "HTTP/1.1 200 Connection established\r\n\r\n"))
  }

  private func readSOCKS(_ context: ChannelHandlerContext) {
    received.moveReaderIndex(forwardBy: 3)
    let host: String
    if received.readInteger(as: UInt8.self) == 1 {
      host = (received.readBytes(length: 4) ?? []).map(String.init).joined(separator: ".")
    } else {
      host = received.readString(length: Int(received.readInteger(as: UInt8.self) ?? 0)) ?? ""
    }
    let port = received.readInteger(as: UInt16.self) ?? 0
    received.clear()
    connect("\(host):\(port)", context, reply: ByteBuffer(bytes: [5, 0, 0, 1, 0, 0, 0, 0, 0, 0]))
  }

  private func connect(_ target: String, _ context: ChannelHandlerContext, reply: ByteBuffer) {
    note(target)
    state = .connecting
    let channel = context.channel
    let handler = NIOLoopBound(self, eventLoop: context.eventLoop)
    // Every name is this machine here.
    ClientBootstrap(group: context.eventLoop)
      .channelInitializer { peer in
        peer.eventLoop.makeCompletedFuture { try peer.pipeline.syncOperations.addHandler(Relay(to: channel)) }
      }
      .connect(host: "127.0.0.1", port: Int(target.split(separator: ":").last ?? "") ?? 0)
      .whenComplete { result in
        switch result {
        case .success(let peer):
          handler.value.state = .relaying(peer)
          channel.writeAndFlush(reply, promise: nil)
        case .failure: channel.close(promise: nil)
        }
      }
  }
}

private final class Relay: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  private let peer: any Channel

  init(to peer: any Channel) { self.peer = peer }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    peer.writeAndFlush(unwrapInboundIn(data), promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) { peer.close(promise: nil) }
}
