internal import NIOCore
internal import Synchronization

/// What has gone through a tunnel since it was made.
public struct Traffic: Sendable, Hashable, Codable {
  /// Connections of the child to the cluster that were dialled, those that came to nothing included.
  public var outboundConnections = 0
  /// Connections of the cluster to the redirected ports.
  public var inboundConnections = 0
  /// Bytes to the agent, the tunnel's own framing and keepalive included.
  public var bytesSent = 0
  /// Bytes from the agent, likewise.
  public var bytesReceived = 0

  /// Nothing yet.
  public init() {}

  /// The sum of two tunnels' traffic.
  public static func + (left: Traffic, right: Traffic) -> Traffic {
    var sum = left
    sum.outboundConnections += right.outboundConnections
    sum.inboundConnections += right.inboundConnections
    sum.bytesSent += right.bytesSent
    sum.bytesReceived += right.bytesReceived
    return sum
  }
}

/// Counts a tunnel's traffic on its event loop; read from anywhere.
final class TrafficCounter: Sendable {
  private let outboundConnections = Atomic(0)
  private let inboundConnections = Atomic(0)
  private let bytesSent = Atomic(0)
  private let bytesReceived = Atomic(0)

  /// The counts at this moment; each is right by itself.
  var traffic: Traffic {
    var traffic = Traffic()
    traffic.outboundConnections = outboundConnections.load(ordering: .relaxed)
    traffic.inboundConnections = inboundConnections.load(ordering: .relaxed)
    traffic.bytesSent = bytesSent.load(ordering: .relaxed)
    traffic.bytesReceived = bytesReceived.load(ordering: .relaxed)
    return traffic
  }

  func countOutboundConnection() { outboundConnections.add(1, ordering: .relaxed) }

  func countInboundConnection() { inboundConnections.add(1, ordering: .relaxed) }

  fileprivate func count(sent bytes: Int) { bytesSent.add(bytes, ordering: .relaxed) }

  fileprivate func count(received bytes: Int) { bytesReceived.add(bytes, ordering: .relaxed) }
}

/// Counts the bytes of one of the tunnel's port-forwards: its first handler. One addition for each read and write of
/// the connection, however many streams share it.
final class TrafficHandler: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer

  private let counter: TrafficCounter

  init(_ counter: TrafficCounter) { self.counter = counter }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    counter.count(received: unwrapInboundIn(data).readableBytes)
    context.fireChannelRead(data)
  }

  func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
    counter.count(sent: unwrapOutboundIn(data).readableBytes)
    context.write(data, promise: promise)
  }
}
