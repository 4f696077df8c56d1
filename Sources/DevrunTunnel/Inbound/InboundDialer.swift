internal import DevrunSystem
internal import NIOCore

/// Where the cluster's connections arrive on this machine: each port of the target, and the local port for it.
///
/// A program may listen on 127.0.0.1, on every address, or on ::1 only: the first two answer at 127.0.0.1, the last at
/// ::1, tried in this order for each connection. Where nothing listens the peer in the cluster is reset at once.
public struct InboundDialer: Sendable, Hashable {
  /// The local port of each of the target's ports.
  public var localPorts: [Int: Int]

  /// A dialler with the local port of each of the target's ports.
  public init(localPorts: [Int: Int]) { self.localPorts = localPorts }

  /// Dials for a stream that the agent opened.
  func dial(_ authority: Authority, with sockets: SocketDialer) -> EventLoopFuture<Result<any Channel, DialFailure>> {
    guard let port = localPorts[authority.port] else {
      return sockets.eventLoop.makeSucceededFuture(.failure(.refused("port \(authority.port) is not redirected")))
    }
    do {
      let addresses = try ["127.0.0.1", "::1"].map { try SocketAddress(ipAddress: $0, port: port) }
      return sockets.connect(to: addresses)
    } catch {
      return sockets.eventLoop.makeSucceededFuture(.failure(.connect(.addressNotAvailable)))
    }
  }
}
