package import DevrunSystem
package import DevrunTunnel
internal import Synchronization

/// The tunnels that are up, by pod. What leaves here for the cluster takes the first of them.
package final class AttachedTunnels: Sendable {
  /// The names of the pods that got a tunnel, one after the other. Ends with `finish`.
  package let arrivals = Broadcast<String>()

  private let tunnels = Mutex<[(pod: String, tunnel: Tunnel)]>([])

  /// No tunnels.
  package init() {}

  /// The tunnel for what goes out; `nil` while none is up.
  package var outbound: Tunnel? { tunnels.withLock { $0.first?.tunnel } }

  /// The tunnel to a pod; `nil` while none is up.
  package func tunnel(to pod: String) -> Tunnel? { tunnels.withLock { $0.last { $0.pod == pod }?.tunnel } }

  /// The pods with a tunnel.
  package var pods: [String] { tunnels.withLock { $0.map(\.pod) } }

  /// A tunnel to a pod is up.
  package func attach(_ tunnel: Tunnel, pod: String) {
    tunnels.withLock { $0.append((pod, tunnel)) }
    // Of a pod that comes again and again, one arrival is kept for later listeners.
    _ = arrivals.takeBack { $0 == pod }
    arrivals.send(pod)
  }

  /// No tunnel will come any more.
  package func finish() { arrivals.finish() }

  /// A tunnel is over.
  package func detach(_ tunnel: Tunnel) {
    tunnels.withLock { $0.removeAll { $0.tunnel === tunnel } }
  }
}
