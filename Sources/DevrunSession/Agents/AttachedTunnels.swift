internal import DevrunTunnel
internal import Synchronization

/// The tunnels that are up, by pod. What leaves here for the cluster takes the first of them.
final class AttachedTunnels: Sendable {
  private let tunnels = Mutex<[(pod: String, tunnel: Tunnel)]>([])

  /// The tunnel for what goes out; `nil` while none is up.
  var outbound: Tunnel? { tunnels.withLock { $0.first?.tunnel } }

  /// The pods with a tunnel.
  var pods: [String] { tunnels.withLock { $0.map(\.pod) } }

  func attach(_ tunnel: Tunnel, pod: String) {
    tunnels.withLock { $0.append((pod, tunnel)) }
  }

  func detach(_ tunnel: Tunnel) {
    tunnels.withLock { $0.removeAll { $0.tunnel === tunnel } }
  }
}
