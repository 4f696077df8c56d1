package import DevrunCore
package import DevrunPlan
internal import DevrunSystem
internal import DevrunTunnel
package import NIOCore

/// Reaches the cluster for the child: what the launcher asks for goes through the tunnel, and the child's socket to a
/// listener of the tunnel's acceptor.
package final class TunnelConnector: OutboundConnector {
  private let tunnels: AttachedTunnels
  private let view: ClusterView
  private let acceptor: OutboundAcceptor
  /// Where a connection to an IPv6 address of the cluster arrives.
  private let loopback6: IPAddress

  package init(tunnels: AttachedTunnels, view: ClusterView, group: any EventLoopGroup) {
    self.tunnels = tunnels
    self.view = view
    self.acceptor = OutboundAcceptor(on: group.next())
    loopback6 = Self.loopback6(of: (try? MachineAddresses.read()) ?? [])
  }

  package func begin(to destination: IPEndpoint) -> any OutboundAttempt {
    guard let tunnel = tunnels.outbound else { return NoTunnel() }
    return acceptor.begin(
      at: listeningAddress(for: destination.address), host: view.destination(of: destination.address),
      port: Int(destination.port), through: tunnel)
  }

  /// Closes the listeners.
  package func close() async { await acceptor.close() }

  /// Where the child's socket is connected to: the service's own local address, so that getpeername(2) tells it; for an
  /// address of the cluster this machine's loopback.
  private func listeningAddress(for address: IPAddress) -> IPAddress {
    if address.isLoopback { return address }
    return address.isIPv4 ? Self.loopback4 : loopback6
  }

  private static let loopback4 = IPAddress(127, 0, 0, 1)

  /// The loopback address for sockets of IPv6. Where this machine has none, such a socket is connected to IPv4's.
  static func loopback6(of addresses: Set<IPAddress>) -> IPAddress {
    addresses.first { !$0.isIPv4 && $0.isLoopback } ?? loopback4
  }
}

/// An attempt while no tunnel is up: the network is not reachable.
private struct NoTunnel: OutboundAttempt {
  func acceptor() async throws -> IPEndpoint { throw DialError.tunnelClosed }

  func outcome() async -> DialOutcome { .failed(.networkUnreachable) }

  func attach(_ local: IPEndpoint) {}

  func cancel() {}
}
