internal import DevrunTunnel
internal import DevrunView
internal import Synchronization

/// The tunnels to those pods of the target in which the agent runs; none until the target is replaced.
final class ReplacedPods: Sendable {
  private let tunnels = Mutex<AttachedTunnels?>(nil)

  /// The target is being replaced.
  func set(_ attached: AttachedTunnels) { tunnels.withLock { $0 = attached } }

  /// The tunnel to a pod; `nil` if the pod has no agent, or cannot be reached by it at the moment.
  func tunnel(to pod: String) -> Tunnel? { tunnels.withLock { $0 }?.tunnel(to: pod) }
}
