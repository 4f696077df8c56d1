internal import DevrunConfig
internal import DevrunCore
internal import DevrunKube
internal import DevrunPlan
internal import DevrunSystem
internal import DevrunTunnel
internal import DevrunView
internal import DevrunWorkload
internal import NIOPosix

/// A session's connection to the cluster: what its parts are started with.
struct ClusterConnection: Sendable {
  /// What the parts share.
  var context: SessionContext
  /// The session's private folder.
  var directory: SessionDirectory
  /// The event loops.
  var group: MultiThreadedEventLoopGroup
  /// Gathers the session's state for `devrun diagnose`.
  var diagnosis: StateCollector

  /// Finds the target, and starts the session's own pod. Until then nothing is written.
  ///
  /// - Throws: `SessionError`, `WorkloadError`, `KubeError`, `TunnelError`
  ///
  /// - Parameter receives: whether connections to the pod's own address come here where the target is left alone.
  func startPod(_ options: SessionOptions, payload: Payload, receives: Bool = true) async throws -> StartedPod {
    let services = SeenServices(
      watch: ServiceWatch(
        from: context.namespace,
        others: options.localEnv.serviceReferences.compactMap(\.namespace) + options.otherNamespaces))
    let target = try await Patience.ofTheFirstLook(context).persist { [context] in
      try await SessionTarget.find(options, in: context)
    }
    // Not before the target is found, which takes a moment: where there are thousands, they take this machine's time.
    await services.read(in: context)
    // Where the target is left alone, the pod's own address is the way in.
    let isTargetLeftAlone = if case .none = target { true } else { options.takeOver(of: target.choice) == nil }
    let start = PodStart(
      context: context, payload: payload, diagnosis: diagnosis, localEnv: options.localEnv,
      receives: receives && isTargetLeftAlone)
    let pod = try await start.start(target, services: services)
    await diagnosis.started(pod)
    return pod
  }

  /// Lets the command reach the cluster through the session's pod, and keeps what it sees up to date.
  func serve(_ view: SessionView, through pod: StartedPod, limit: Int) async -> TunnelConnector {
    let connector = TunnelConnector(tunnels: pod.pods.tunnels, view: view.cluster, group: group)
    let (services, watched, reporter) = (context.services, pod.services, context.reporter)
    await services.onStop("closing the local ends") { await connector.close() }
    await services.inBackground("following the services", failure: "new services are not seen any more") {
      try await watched.watch.follow(
        view.cluster, from: try await watched.listing(), addresses: watched.addresses, reporter: reporter)
    }
    let renewal = VolumeRenewal(
      view.volumes, tunnels: pod.pods.tunnels, directory: directory, limit: limit, reporter: reporter)
    await services.inBackground("renewing volumes") { await renewal.run() }
    return connector
  }

  /// How the target's traffic comes here; `nil` if it does not.
  ///
  /// - Parameter agents: learns of the tunnels to the pods that are replaced.
  func wayIn(to pod: StartedPod, _ options: SessionOptions, replacing agents: ReplacedPods? = nil) -> ReplaceWay? {
    guard case .workload(let workload, let choice) = pod.target, let takeOver = options.takeOver(of: choice) else {
      return nil
    }
    return ReplaceWay(
      context: context, workload: workload, choice: choice, takeOver: takeOver, payload: pod.payload,
      diagnosis: diagnosis, replaced: agents ?? ReplacedPods())
  }
}
