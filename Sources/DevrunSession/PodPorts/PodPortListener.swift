internal import DevrunConfig
internal import DevrunCore
internal import DevrunSystem
internal import DevrunTunnel
internal import NIOCore

/// The local listeners that stand for ports on the localhost of the target's pods.
final class PodPortListener: Sendable {
  /// A connection that came, nothing read of it yet.
  struct Connection: Sendable {
    /// The connection.
    var channel: any Channel
    /// The port of the pod.
    var port: UInt16
  }

  /// The connections. Ends when the listeners are closed.
  let connections: AsyncStream<Connection>

  private let arrival: AsyncStream<Connection>.Continuation
  private let listeners: [any Channel]

  /// Listens at each local port, on both of this machine's loopback addresses. A machine without IPv6 has one.
  ///
  /// - Throws: `SessionError.podPortTaken`
  init(_ ports: [PortMapping], on loop: any EventLoop) async throws {
    let (connections, arrival) = AsyncStream.makeStream(of: Connection.self)
    (self.connections, self.arrival) = (connections, arrival)
    var listeners: [any Channel] = []
    do {
      for port in ports {
        for address in ["127.0.0.1", "::1"] {
          let listener = try await Self.listen(address, port, on: loop) {
            if case .terminated = arrival.yield(Connection(channel: $0, port: port.remote)) { Self.reset($0) }
          }
          if let listener { listeners.append(listener) }
        }
      }
    } catch {
      for listener in listeners { try await listener.close() }
      throw error
    }
    self.listeners = listeners
  }

  private static func listen(
    _ address: String, _ port: PortMapping, on loop: any EventLoop, accept: @escaping @Sendable (any Channel) -> Void
  ) async throws -> (any Channel)? {
    do {
      return try await StreamSocket.listen(
        on: SocketAddress(ipAddress: address, port: Int(port.local)), eventLoop: loop, limits: .unconstrained,
        accept: accept
      ).get()
    } catch let error as IOError {
      let errno = Errno(rawValue: error.errnoCode)
      if address.contains(":"), errno == .addressNotAvailable || errno == .addressFamilyNotSupported { return nil }
      throw SessionError.podPortTaken(local: port.local, remote: port.remote, errno)
    }
  }

  /// Stops listening. Connections that nobody has taken are reset.
  func close() async throws {
    for listener in listeners { try await listener.close() }
    arrival.finish()
    for await connection in connections { Self.reset(connection.channel) }
  }

  static func reset(_ connection: any Channel) { connection.triggerUserOutboundEvent(StreamReset(), promise: nil) }
}
