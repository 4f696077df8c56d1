// What listens on the localhost of the target's pods (a sidecar, mostly) listens on localhost here too. Local listeners
// take the command's connections, and those of anything else on this machine; each connection goes to one of the target's
// own pods: by the tunnel to the agent once the pod is replaced, else by a port-forward of its own. The session pod is of
// no use for it, since nothing but the agent runs there.
//
// The listeners are made before the cluster is touched, so that a port that is taken costs nobody anything.

internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunWorkload
internal import NIOCore
internal import Synchronization

/// Local ports that stand for ports on the localhost of the target's pods.
struct PodPorts: Sendable {
  private let context: SessionContext
  private let ports: [PortMapping]
  private let listener: PodPortListener

  fileprivate init(_ ports: [PortMapping], _ listener: PodPortListener, context: SessionContext) {
    self.context = context
    self.ports = ports
    self.listener = listener
  }

  /// Passes the connections on to the target's pods until the session ends.
  ///
  /// - Returns: what must be given the tunnels to the pods once they are replaced.
  func serve(_ pod: StartedPod) async -> ReplacedPods {
    let replaced = ReplacedPods()
    guard case .workload(let workload, _) = pod.target else { return replaced }
    let (namespace, reporter, listener, what) = (
      context.namespace, context.reporter, listener, "deployment/\(workload.name)"
    )
    let pods = TargetPods()
    // Where a network policy asks for the app's labels, the session's own pod has them too.
    let events = namespace.client.persistentWatch(
      namespace.pods, labelSelector: "\(workload.labelSelector),!\(SessionMark.key)"
    ) { condition in
      if case .troubled(let error) = condition { reporter.report(.detail("the pods of \(what): \(error)")) }
    }
    await context.services.inBackground("following the pods of \(what)") { try await pods.follow(events) }
    let ways = PodPortWays(pods: pods, replaced: replaced, namespace: namespace, reporter: reporter, loop: context.loop)
    await context.services.inBackground("serving ports of the pods' localhost") {
      await withDiscardingTaskGroup { group in
        for await connection in listener.connections { group.addTask { await ways.serve(connection) } }
        group.cancelAll()
      }
    }
    for port in ports {
      reporter.report(.fact("localhost:\(port.local) -> localhost:\(port.remote) in a pod of \(what)"))
    }
    return replaced
  }
}

extension ClusterConnection {
  /// Listens at the local ports that stand for ports of the target's pods. Nothing is asked of the cluster.
  ///
  /// - Returns: `nil` if there are no such ports.
  /// - Throws: `SessionError.podPortTaken`
  func listen(for ports: [PortMapping]) async throws -> PodPorts? {
    guard !ports.isEmpty else { return nil }
    let listener = try await PodPortListener(ports, on: context.loop)
    await context.services.onStop("closing the ports of the pods' localhost") { try await listener.close() }
    return PodPorts(ports, listener, context: context)
  }
}

extension SessionOptions {
  /// Refuses ports of the pods' localhost where there are no pods, and local ports that are meant for the command.
  ///
  /// - Throws: `SessionError.noPods`, `PortMappingError`, `KubeError`
  func checkPodPorts(of workload: Workload, _ choice: ContainerChoice, in namespace: Namespace) async throws {
    guard !podPorts.isEmpty else { return }
    if takeOver(of: choice) != nil { try PortMapping.check(podPorts: podPorts, beside: choice.ports) }
    let pods = try await namespace.client.list(
      namespace.pods, labelSelector: "\(workload.labelSelector),!\(SessionMark.key)")
    guard pods.items.contains(where: PodSelection.mayRun) else {
      throw SessionError.noPods("deployment/\(workload.name)")
    }
  }
}
